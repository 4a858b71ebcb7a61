/**
 * Deterministic CBOR (RFC 8949 §4.2.1) written with a bare pointer: each function takes the address to write at and
 * returns the address behind what it wrote. A head takes at most 9 bytes.
 */

export const UINT: u32 = 0;
export const NINT: u32 = 1;
export const BYTES: u32 = 2;
export const TEXT: u32 = 3;
export const ARRAY: u32 = 4;
export const MAP: u32 = 5;

/** The head of major type `major` with argument `n`, in its shortest form. */
export function cborHead(p: usize, major: u32, n: u64): usize {
  const m = major << 5;
  if (n < 24) {
    store<u8>(p, m | <u32>n);
    return p + 1;
  }
  if (n < 0x100) {
    store<u8>(p, m | 24);
    store<u8>(p, <u32>n, 1);
    return p + 2;
  }
  if (n < 0x10000) {
    store<u8>(p, m | 25);
    store<u16>(p, bswap<u16>(<u16>n), 1);
    return p + 3;
  }
  if (n < 0x100000000) {
    store<u8>(p, m | 26);
    store<u32>(p, bswap<u32>(<u32>n), 1);
    return p + 5;
  }
  store<u8>(p, m | 27);
  store<u64>(p, bswap<u64>(n), 1);
  return p + 9;
}

/** An integer of either sign. */
export function cborInt(p: usize, n: i64): usize {
  return n < 0 ? cborHead(p, NINT, <u64>(-1 - n)) : cborHead(p, UINT, <u64>n);
}

/** A byte string. */
export function cborBytes(p: usize, src: usize, len: usize): usize {
  p = cborHead(p, BYTES, len);
  memory.copy(p, src, len);
  return p + len;
}

/** A byte string of 32 bytes: 34 bytes written. */
// @ts-ignore: decorator
@inline
export function cborBytes32(p: usize, src: usize): usize {
  store<u16>(p, 0x2058);
  v128.store(p, v128.load(src), 2);
  v128.store(p, v128.load(src, 16), 18);
  return p + 34;
}

/** A text string of UTF-8 bytes. */
export function cborText(p: usize, src: usize, len: usize): usize {
  p = cborHead(p, TEXT, len);
  memory.copy(p, src, len);
  return p + len;
}

/** The start of `H(prefix, …)` with `fields` fields behind the prefix (PROTOCOL §2; fields < 23). */
// @ts-ignore: decorator
@inline
export function hashHead(p: usize, prefix: u32, fields: u32): usize {
  store<u8>(p, 0x81 + fields);
  return cborHead(p + 1, UINT, prefix);
}
