/**
 * The keys of an object in one of the two orders the protocol needs: of deterministic CBOR (shorter first, then
 * bytewise) and of canonical JSON (UTF-16 code units, RFC 8785). Both on UTF-8 bytes, n log n for any input.
 *
 * A sort is an area on a stack, since writers nest: `sortKeys` … `sortedKey` … `sortEnd`. Entry: u64 the first bytes of
 * the key in comparable form, u32 node, u32 zero.
 */
import { count, first, next, strLen, strPtr } from './json';
import { Buf } from './memory';

// @ts-ignore: decorator
@lazy
const STACK: Buf = changetype<Buf>(memory.data(12, 8));
const ENTRY: usize = 16;

/** Puts the keys of `object` in order; a mark for `sortedKey` and `sortEnd`. */
export function sortKeys(object: usize, utf16: bool): usize {
  const n = <usize>count(object);
  const mark = STACK.len;
  const base = STACK.reserve(n * 2 * ENTRY);
  STACK.len += n * ENTRY;
  let k = first(object);
  let sorted: bool = true;
  for (let i: usize = 0; i < n; i++) {
    const e = base + i * ENTRY;
    store<u64>(e, utf16 ? prefix16(k) : prefixCbor(k));
    store<u64>(e, k, 8);
    if (i && sorted) sorted = !less(e, e - ENTRY, utf16);
    k = next(next(k));
  }
  if (!sorted) {
    if (n <= 16) insertion(base, n, utf16);
    else merge(base, base + n * ENTRY, n, utf16);
  }
  return mark;
}

/** The node of the i-th key in order. */
// @ts-ignore: decorator
@inline
export function sortedKey(mark: usize, i: u32): usize {
  return load<u32>(STACK.ptr + mark + <usize>i * ENTRY, 8);
}

export function sortEnd(mark: usize): void {
  if (mark) STACK.len = mark;
  else STACK.trim(65536);
}

/** The first 8 bytes, big-endian, zero behind the end. */
// @ts-ignore: decorator
@inline
function head8(k: usize): u64 {
  const len = strLen(k);
  const v = bswap<u64>(load<u64>(strPtr(k)));
  if (len >= 8) return v;
  return len ? v & ((<u64>-1) << (64 - (len << 3))) : 0;
}

function prefixCbor(k: usize): u64 {
  const len = strLen(k);
  return (head8(k) >> 16) | (<u64>(len < 0xffff ? len : 0xffff) << 48);
}

/** Supplementary characters (lead byte ≥ 0xf0) are surrogates in UTF-16 and come before U+E000…U+FFFF (0xee, 0xef). */
// @ts-ignore: decorator
@inline
function unit(b: u32): u32 {
  return b < 0xee ? b : b < 0xf0 ? b + 0x10 : b - 2;
}

function prefix16(k: usize): u64 {
  const v = head8(k);
  if (!(v & 0x8080808080808080)) return v;
  let r: u64 = 0;
  for (let s = 56; s >= 0; s -= 8) r |= <u64>unit(<u32>(v >> s) & 0xff) << s;
  return r;
}

// @ts-ignore: decorator
@inline
function less(a: usize, b: usize, utf16: bool): bool {
  const x = load<u64>(a);
  const y = load<u64>(b);
  return x != y ? x < y : lessTail(load<u32>(a, 8), load<u32>(b, 8), utf16);
}

function lessTail(a: usize, b: usize, utf16: bool): bool {
  const m = strLen(a);
  const n = strLen(b);
  if (!utf16 && m != n) return m < n;
  const p = strPtr(a);
  const q = strPtr(b);
  const min = m < n ? m : n;
  for (let i: usize = 0; i < min; i++) {
    const x = <u32>load<u8>(p + i);
    const y = <u32>load<u8>(q + i);
    if (x != y) return utf16 ? unit(x) < unit(y) : x < y;
  }
  return m < n;
}

// @ts-ignore: decorator
@inline
function move(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
}

function insertion(base: usize, n: usize, utf16: bool): void {
  const end = base + n * ENTRY;
  const spare = end;
  for (let i = base + ENTRY; i < end; i += ENTRY) {
    move(spare, i);
    let j = i;
    while (j > base && less(spare, j - ENTRY, utf16)) {
      move(j, j - ENTRY);
      j -= ENTRY;
    }
    move(j, spare);
  }
}

/** Bottom-up merge sort with `n` entries of room at `other`. */
function merge(base: usize, other: usize, n: usize, utf16: bool): void {
  const size = n * ENTRY;
  let from = base;
  let to = other;
  for (let run: usize = ENTRY; run < size; run <<= 1) {
    for (let lo: usize = 0; lo < size; lo += run << 1) {
      const mid = lo + run < size ? lo + run : size;
      const hi = mid + run < size ? mid + run : size;
      let i = from + lo;
      let j = from + mid;
      const iEnd = from + mid;
      const jEnd = from + hi;
      let k = to + lo;
      while (i < iEnd && j < jEnd) {
        if (less(j, i, utf16)) {
          move(k, j);
          j += ENTRY;
        } else {
          move(k, i);
          i += ENTRY;
        }
        k += ENTRY;
      }
      if (i < iEnd) memory.copy(k, i, iEnd - i);
      else memory.copy(k, j, jEnd - j);
    }
    const t = from;
    from = to;
    to = t;
  }
  if (from != base) memory.copy(base, from, size);
}
