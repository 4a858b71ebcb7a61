/**
 * Memory of the kernel. Nothing here is collected: what is allocated is released by hand, and nothing on the hot path
 * allocates once its buffers have grown. Static cells come from `memory.data`.
 */

/** Bytes that may be read behind every buffer (16-byte loads run over the end; their surplus is ignored). */
export const SLACK: usize = 16;

/** `size` uninitialised bytes, aligned to 8 (and SLACK readable bytes behind them). Traps when memory is exhausted. */
export function alloc(size: usize): usize {
  return heap.alloc(size + SLACK);
}

/** As `alloc`, zeroed. */
export function allocZero(size: usize): usize {
  const ptr = alloc(size);
  memory.fill(ptr, 0, size);
  return ptr;
}

/** Gives back what `alloc` gave; 0 is ignored. */
export function release(ptr: usize): void {
  if (ptr) heap.free(ptr);
}

/** Changes the size of an allocation, keeping its bytes; 0 allocates. */
export function resize(ptr: usize, size: usize): usize {
  return ptr ? heap.realloc(ptr, size + SLACK) : alloc(size);
}

/**
 * A growable run of bytes. `ptr` moves when it grows: keep offsets, not pointers, across appends. A cell that was never
 * used holds nothing. Make static ones with `changetype<Buf>(memory.data(12, 8))`.
 */
// @ts-ignore: decorator
@unmanaged
export class Buf {
  ptr: usize;
  len: usize;
  cap: usize;

  /** Room for `extra` more bytes; the address behind the last byte. Does not change `len`. */
  reserve(extra: usize): usize {
    const need = this.len + extra;
    if (need > this.cap) this.grow(need);
    return this.ptr + this.len;
  }

  private grow(need: usize): void {
    let cap = this.cap + (this.cap >> 1);
    if (cap < 256) cap = 256;
    if (cap < need) cap = need;
    this.ptr = resize(this.ptr, cap);
    this.cap = cap;
  }

  /** Sets `len` from the address behind the last byte written (after `reserve`). */
  @inline
  end(p: usize): void {
    this.len = p - this.ptr;
  }

  @inline
  clear(): void {
    this.len = 0;
  }

  /** Empties, and gives the memory back if it is more than `keep` bytes. */
  trim(keep: usize): void {
    this.len = 0;
    if (this.cap > keep) {
      release(this.ptr);
      this.ptr = 0;
      this.cap = 0;
    }
  }

  u8(v: u32): void {
    store<u8>(this.reserve(1), v);
    this.len += 1;
  }

  u32(v: u32): void {
    store<u32>(this.reserve(4), v);
    this.len += 4;
  }

  u64(v: u64): void {
    store<u64>(this.reserve(8), v);
    this.len += 8;
  }

  bytes(src: usize, n: usize): void {
    memory.copy(this.reserve(n), src, n);
    this.len += n;
  }

  /** The characters of an ASCII literal. */
  text(s: string): void {
    this.end(putText(this.reserve(<usize>s.length), s));
  }

  zeros(n: usize): void {
    memory.fill(this.reserve(n), 0, n);
    this.len += n;
  }

  /** Zeros up to a multiple of 8. */
  pad8(): void {
    this.zeros(<usize>-(<isize>this.len) & 7);
  }
}

/** Writes the characters of an ASCII literal; the address behind them. Scribbles on up to 7 bytes there. */
export function putText(p: usize, s: string): usize {
  const n = <usize>s.length;
  const src = changetype<usize>(s);
  for (let i: usize = 0; i < n; i += 8) {
    const v = v128.load(src + (i << 1));
    store<u64>(p + i, i64x2.extract_lane(i8x16.narrow_i16x8_u(v, v), 0));
  }
  return p + n;
}

/** Are these bytes the ASCII literal? */
export function isText(p: usize, len: usize, s: string): bool {
  if (len != <usize>s.length) return false;
  const src = changetype<usize>(s);
  for (let i: usize = 0; i < len; i++) {
    if (<u16>load<u8>(p + i) != load<u16>(src + (i << 1))) return false;
  }
  return true;
}

/** Equality of two runs of n bytes. */
// @ts-ignore: decorator
@inline
export function same(a: usize, b: usize, n: usize): bool {
  return memory.compare(a, b, n) == 0;
}

/** Equality of 32 bytes. */
// @ts-ignore: decorator
@inline
export function same32(a: usize, b: usize): bool {
  const x = v128.or(v128.xor(v128.load(a), v128.load(b)), v128.xor(v128.load(a, 16), v128.load(b, 16)));
  return !v128.any_true(x);
}

// @ts-ignore: decorator
@inline
export function copy32(dst: usize, src: usize): void {
  v128.store(dst, v128.load(src));
  v128.store(dst, v128.load(src, 16), 16);
}

// @ts-ignore: decorator
@inline
export function zero32(dst: usize): void {
  v128.store(dst, i64x2.splat(0));
  v128.store(dst, i64x2.splat(0), 16);
}

/** `n` in decimal; the address behind it. */
export function putDecimal(p: usize, n: i64): usize {
  if (n < 0) {
    store<u8>(p++, 0x2d);
    n = -n;
  }
  let u = <u64>n;
  if (u < 10) {
    store<u8>(p, 0x30 + <u8>u);
    return p + 1;
  }
  let digits: usize = 2;
  for (let limit: u64 = 100; digits < 19 && u >= limit; limit *= 10) digits++;
  let q = p + digits;
  while (u >= 10) {
    const t = u / 10;
    store<u8>(--q, 0x30 + <u8>(u - t * 10));
    u = t;
  }
  store<u8>(--q, 0x30 + <u8>u);
  return p + digits;
}
