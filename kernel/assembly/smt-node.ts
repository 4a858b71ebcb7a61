/**
 * Nodes of the state tree (smt.ts), and where their parts are.
 *
 * Node: 0 u32 epoch  4 u8 1 for a leaf  5 u8 dirty  6 u8 bit (inner: the bit it branches on)
 *       7 u8 top (inner: the depth at which `hash` was taken, ≤ bit; above its branch lie empty siblings)  8 hash32
 * inner: 40 u32 left  44 u32 right      leaf: 40 value32  72 key21
 */
export const IS_LEAF: usize = 4;
export const DIRTY: usize = 5;
export const BIT: usize = 6;
export const TOP: usize = 7;
export const HASH: usize = 8;
export const LEFT: usize = 40;
export const RIGHT: usize = 44;
export const VALUE: usize = 40;
export const KEY: usize = 72;
export const INNER_SIZE: usize = 48;
export const LEAF_SIZE: usize = 96;
export const KEY_SIZE: u32 = 21;
export const KEY_BITS: u32 = 168;

// @ts-ignore: decorator
@inline
export function bitOf(key: usize, bit: u32): u32 {
  return (<u32>load<u8>(key + (bit >> 3)) >> (7 - (bit & 7))) & 1;
}

/** The leaf furthest to the left. */
export function firstLeaf(node: usize): usize {
  while (!load<u8>(node, IS_LEAF)) node = <usize>load<u32>(node, LEFT);
  return node;
}
