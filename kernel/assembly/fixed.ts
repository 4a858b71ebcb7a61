import { zero32 } from './memory';

/** Fixed-size bytes: 32-byte words, keys, big-endian numbers. Pointers only; nothing here allocates. */

/** sha256(""): the empty subtree of the state tree and the root of the empty log (PROTOCOL §6, §7). */
export const EMPTY_HASH: usize = memory.data<u8>([
  0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
  0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
], 8);

export const ZERO32: usize = memory.data(32, 8);

// @ts-ignore: decorator
@inline
export function isZero32(a: usize): bool {
  return (load<u64>(a) | load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)) == 0;
}

/** A small number as a 32-byte big-endian value. */
export function value32(at: usize, n: u64): void {
  zero32(at);
  store<u64>(at, bswap<u64>(n), 24);
}

// @ts-ignore: decorator
@inline
export function be32(at: usize, n: u32): void {
  store<u32>(at, bswap<u32>(n));
}

// @ts-ignore: decorator
@inline
export function be64(at: usize, n: u64): void {
  store<u64>(at, bswap<u64>(n));
}

// @ts-ignore: decorator
@inline
export function align8(n: u32): u32 {
  return (n + 7) & ~7;
}
