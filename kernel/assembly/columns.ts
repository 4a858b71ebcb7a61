/**
 * Columns and operations of the access matrix (PROTOCOL §4, §5) as small numbers, and sets of columns. An identity's
 * bitmask is the State value in the low byte, trait i at bit 8 + i.
 */
export const TRAIT: u32 = 256;
export const PUBLIC: u32 = 512;
export const SELF: u32 = 513;
export const SENDER: u32 = 514;

export const OP_C: u32 = 1;
export const OP_R: u32 = 2;
export const OP_U: u32 = 4;
export const OP_D: u32 = 8;
export const OP_N: u32 = 16;
export const OP_P: u32 = 32;
/** The denial of an op is its bit shifted by this. */
export const DENY: u32 = 8;

/** Who asks: set before columns are looked at. Contexts are bits: 1 Public, 2 Self, 4 Sender. */
export const CONTEXT_PUBLIC: u32 = 1;
export const CONTEXT_SELF: u32 = 2;
export const CONTEXT_SENDER: u32 = 4;

/** The bit of an op as the Manifest writes it (`C`, `_R`, …); 0 if it is none. */
export function opBit(name: usize, length: usize): u32 {
  let shift: u32 = 0;
  if (length == 2 && load<u8>(name) == 0x5f) {
    shift = DENY;
    name++;
    length--;
  }
  if (length != 1) return 0;
  switch (load<u8>(name)) {
    case 0x43:
      return OP_C << shift;
    case 0x52:
      return OP_R << shift;
    case 0x55:
      return OP_U << shift;
    case 0x44:
      return OP_D << shift;
    case 0x4e:
      return OP_N << shift;
    case 0x50:
      return OP_P << shift;
    default:
      return 0;
  }
}

/** Is this column active for a bitmask, in these contexts? */
// @ts-ignore: decorator
@inline
export function isActive(column: u32, bits: u32, contexts: u32): bool {
  if (column < TRAIT) return (bits & 0xff) == column;
  if (column < PUBLIC) return <bool>((bits >> (8 + column - TRAIT)) & 1);
  return <bool>((contexts >> (column - PUBLIC)) & 1);
}

/** A set of columns: 0 bytes32 states, 32 u32 traits (bit 8 + i, as in a bitmask), 36 u32 contexts. */
export const SET_SIZE: usize = 40;

export function addColumn(set: usize, column: u32): void {
  if (column < TRAIT) {
    addState(set, column);
  } else if (column < PUBLIC) {
    store<u32>(set, load<u32>(set, 32) | (1 << (8 + column - TRAIT)), 32);
  } else {
    store<u32>(set, load<u32>(set, 36) | (1 << (column - PUBLIC)), 36);
  }
}

/** A set of states alone: 32 bytes. */
export function addState(set: usize, state: u32): void {
  const at = set + (state >> 3);
  store<u8>(at, <u32>load<u8>(at) | (1 << (state & 7)));
}

export function hasState(set: usize, state: u32): bool {
  return <bool>((<u32>load<u8>(set + (state >> 3)) >> (state & 7)) & 1);
}

/** Is any column of the set active? */
export function anyActive(set: usize, bits: u32, contexts: u32): bool {
  return hasState(set, bits & 0xff) || (load<u32>(set, 32) & bits) != 0 || (load<u32>(set, 36) & contexts) != 0;
}
