/** Lower-case hex (PROTOCOL §1), 16 bytes a step. */

/** The 2n digits of n bytes; the address behind them. Writes up to 32 bytes past it (overwrite them afterwards). */
export function hexEncode(src: usize, n: usize, dst: usize): usize {
  const digits = i8x16(0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66);
  for (let i: usize = 0; i < n; i += 16) {
    const v = v128.load(src + i);
    const hi = i8x16.swizzle(digits, i8x16.shr_u(v, 4));
    const lo = i8x16.swizzle(digits, v128.and(v, i8x16.splat(15)));
    v128.store(dst + (i << 1), v128.shuffle<u8>(hi, lo, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(dst + (i << 1), v128.shuffle<u8>(hi, lo, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
  }
  return dst + (n << 1);
}

/** 32 digits to 16 bytes; true if all were lower-case hex. */
// @ts-ignore: decorator
@inline
function decode16(src: usize, dst: usize): bool {
  let a = v128.load(src);
  let b = v128.load(src, 16);
  const a09 = i8x16.sub(a, i8x16.splat(0x30));
  const b09 = i8x16.sub(b, i8x16.splat(0x30));
  const aaf = i8x16.sub(a, i8x16.splat(0x61));
  const baf = i8x16.sub(b, i8x16.splat(0x61));
  const aNum = i8x16.lt_u(a09, i8x16.splat(10));
  const bNum = i8x16.lt_u(b09, i8x16.splat(10));
  const aOk = v128.or(aNum, i8x16.lt_u(aaf, i8x16.splat(6)));
  const bOk = v128.or(bNum, i8x16.lt_u(baf, i8x16.splat(6)));
  a = v128.bitselect(a09, i8x16.add(aaf, i8x16.splat(10)), aNum);
  b = v128.bitselect(b09, i8x16.add(baf, i8x16.splat(10)), bNum);
  a = v128.and(v128.or(i16x8.shl(a, 4), i16x8.shr_u(a, 8)), i16x8.splat(0xff));
  b = v128.and(v128.or(i16x8.shl(b, 4), i16x8.shr_u(b, 8)), i16x8.splat(0xff));
  v128.store(dst, i8x16.narrow_i16x8_u(a, b));
  return i8x16.all_true(v128.and(aOk, bOk));
}

function nibble(c: u32): u32 {
  if (c - 0x30 < 10) return c - 0x30;
  if (c - 0x61 < 6) return c - 0x57;
  return 0x100;
}

/** n bytes from 2n digits; false (and garbage) if one of them is not lower-case hex. */
export function hexDecode(src: usize, n: usize, dst: usize): bool {
  let ok: bool = true;
  let i: usize = 0;
  for (; i + 16 <= n; i += 16) ok &= decode16(src + (i << 1), dst + i);
  for (; i < n; i++) {
    const b = (nibble(load<u8>(src + (i << 1))) << 4) | nibble(load<u8>(src + (i << 1) + 1));
    if (b > 0xff) return false;
    store<u8>(dst + i, b);
  }
  return ok;
}
