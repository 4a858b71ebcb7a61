import { alloc, release } from './memory';
import { Names } from './names';

/** Rows of compiled tables without a gate. */
export const NO_GATE: u32 = 0xffff;
/** Number of the first custom type: those below are the predefined ones (layout). */
export const FIRST_CUSTOM: u32 = 17;

/** The compiled Manifest (PROTOCOL §4): flat tables, so that a custom commit costs the rows of its type. */
export class Rules {
  static size: u32 = 0;
  /** ms */
  static timeout: i64 = 0;

  static traits: u32 = 0;
  /** traits of rank 0, as bits of a bitmask */
  static rankZero: u32 = 0;
  /** value of the State `OWNER`, −1 without one */
  static owner: i32 = -1;

  /** 8 bytes each: u8 from  1 u8 to  2 u16 column  4 u32 gate */
  static moves: usize = 0;
  static moveCount: u32 = 0;
  /** 80 bytes each: u32 type  4 u32 traits (bits of a bitmask)  8 bytes32 scope  40 set of operators */
  static grants: usize = 0;
  static grantCount: u32 = 0;
  /** 16 bytes each: u8 type  1 u8 prefix  2 u16 column  4 u16 ops  8 u32 key address  12 u32 key length */
  static slots: usize = 0;
  static slotCount: u32 = 0;
  /** 4 bytes each: u8 type  2 u16 column */
  static lifecycle: usize = 0;
  static lifecycleCount: u32 = 0;
  /** 8 bytes each, rows of one type together: u16 column  2 u16 ops  4 u32 gate */
  static customs: usize = 0;
  static customCount: u32 = 0;
  /** per custom type: u32 first row, u32 rows behind its last */
  static types: usize = 0;
  static typeCount: u32 = 0;
  /** 56 bytes each: set of operators  40 u8 open  41 u8 open at first  44 u32 alias address  48 u32 alias length */
  static gates: usize = 0;
  static gateCount: u32 = 0;
  /** `readerSize` bytes each: u16 column  2 u8 snapshot  3 u8 all types  8 bit set of type numbers */
  static readers: usize = 0;
  static readerCount: u32 = 0;
  static readerSize: u32 = 0;

  /** canonical JSON, kept */
  static content: usize = 0;
  static contentLength: usize = 0;
}

/** Rank of each trait. */
export const RANKS: usize = memory.data(4 * 24, 8);
/** Columns that retention marks are kept for. */
export const MARKED: usize = memory.data(40, 8);
/** Names of custom types and of gates, to their index. */
export const TYPES = changetype<Names>(memory.data(12, 8));
export const GATES = changetype<Names>(memory.data(12, 8));
/** Keys of slots, unescaped. */
export let slotKeys: usize = 0;

export function allocSlotKeys(size: usize): usize {
  slotKeys = alloc(size);
  return slotKeys;
}

/** Number of an event type: predefined, or FIRST_CUSTOM + index; 0 for an unknown one. */
export function typeIndex(predefined: u32, name: usize, length: usize): u32 {
  if (predefined) return predefined;
  const index = TYPES.get(name, length);
  return index < 0 ? 0 : FIRST_CUSTOM + index;
}

/** Drops the compiled tables: the enclave has no Manifest. */
export function clearRules(): void {
  release(Rules.content);
  release(Rules.moves);
  release(Rules.grants);
  release(Rules.slots);
  release(Rules.lifecycle);
  release(Rules.customs);
  release(Rules.types);
  release(Rules.gates);
  release(Rules.readers);
  release(slotKeys);
  Rules.content = Rules.moves = Rules.grants = Rules.slots = Rules.lifecycle = 0;
  Rules.customs = Rules.types = Rules.gates = Rules.readers = slotKeys = 0;
  Rules.moveCount = Rules.grantCount = Rules.slotCount = Rules.lifecycleCount = 0;
  Rules.customCount = Rules.typeCount = Rules.gateCount = Rules.readerCount = 0;
  Rules.contentLength = 0;
  TYPES.free();
  GATES.free();
}
