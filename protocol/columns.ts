/**
 * Columns and operations of the access matrix (PROTOCOL §4, §5) as small numbers.
 *
 * A column is a State value (0 = OUTSIDER … 255), `TRAIT + i` for the i-th declared trait, or one of the contexts.
 * An operation is one bit, in the order C R U D N P; its denial is the same bit shifted by `DENY`.
 * An identity's bitmask is a 32-bit unsigned number: the State value in the low byte, trait i at bit 8 + i.
 */
export const TRAIT = 256;
export const PUBLIC = 512;
export const SELF = 513;
export const SENDER = 514;

export const OP_C = 1;
export const OP_R = 2;
export const OP_U = 4;
export const OP_D = 8;
export const OP_P = 32;
/** `_X` of an operation X is `X << DENY`. */
export const DENY = 8;

const LETTERS = 'CRUDNP';

/** The bit of an op as the Manifest writes it (`C`, `_R`, …); 0 if it is none. */
export function opBit(name: string): number {
  const denied = name.startsWith('_');
  const letter = denied ? name.slice(1) : name;
  if (letter.length !== 1) return 0;
  const index = LETTERS.indexOf(letter);
  if (index < 0) return 0;
  return denied ? 1 << (index + DENY) : 1 << index;
}

export function stateOf(bits: number): number {
  return bits & 0xff;
}

export function withState(bits: number, state: number): number {
  return ((bits & ~0xff) | state) >>> 0;
}

export function hasTrait(bits: number, trait: number): boolean {
  return ((bits >>> (8 + trait)) & 1) === 1;
}

export function withTrait(bits: number, trait: number): number {
  return (bits | (1 << (8 + trait))) >>> 0;
}

export function withoutTrait(bits: number, trait: number): number {
  return (bits & ~(1 << (8 + trait))) >>> 0;
}

/** What decides whether a column is active for one identity in one situation (PROTOCOL §5). */
export interface Standing {
  readonly bits: number;
  /** target = the identity; only for Move, Grant, Revoke, Transfer and reading those */
  readonly self: boolean;
  /** the identity wrote the target event; only for U, D, R, N, P */
  readonly sender: boolean;
}

export function isActive(column: number, who: Standing): boolean {
  if (column < TRAIT) return stateOf(who.bits) === column;
  if (column < PUBLIC) return hasTrait(who.bits, column - TRAIT);
  if (column === PUBLIC) return true;
  return column === SELF ? who.self : who.sender;
}

/** The columns that `before` holds and `after` does not: what retention marks are made of. */
export function lostColumns(before: number, after: number): number[] {
  const lost: number[] = [];
  if (stateOf(before) !== stateOf(after)) lost.push(stateOf(before));
  for (let trait = 0; trait < 24; trait++) {
    if (hasTrait(before, trait) && !hasTrait(after, trait)) lost.push(TRAIT + trait);
  }
  return lost;
}
