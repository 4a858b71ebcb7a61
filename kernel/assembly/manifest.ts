import { addColumn, addState, opBit, PUBLIC, SET_SIZE } from './columns';
import { hexDecode } from './hex';
import { typeNumber } from './inspect-commit';
import { count, field, first, intValue, isString, kind, next, parse, root, strLen, strPtr, Tape, TRUE } from './json';
import { writeString } from './json-write';
import { COLUMNS, columnOf, manifestNames, manifestNamesDone, ownerState, stateOf, traitOf } from './manifest-names';
import { manifestShape, PATH, traitName } from './manifest-shape';
import { alloc, allocZero, Buf, release, same } from './memory';
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

const TAPE = changetype<Tape>(memory.data(40, 8));
/** Keys of slots, unescaped. */
let slotKeys: usize = 0;

/**
 * Validates and compiles a Manifest's content (canonical JSON). `sequencer`: 32 bytes that a `sequencer` in it must
 * equal, or 0. False, with the path in `detail`, if it is invalid; the rules are then empty.
 */
export function compileManifest(content: usize, length: usize, sequencer: usize, detail: Buf): bool {
  Rules.content = alloc(length + 1);
  Rules.contentLength = length;
  memory.copy(Rules.content, content, length);
  const parsed = parse(TAPE, Rules.content, length, 0);
  let valid = parsed && manifestShape(root(TAPE)) && manifestNames(root(TAPE));
  if (valid && sequencer && !namesSequencer(root(TAPE), sequencer)) {
    PATH.clear();
    PATH.text('/sequencer');
    valid = false;
  }
  manifestNamesDone();
  if (valid) {
    compile(root(TAPE));
  } else {
    manifestFault(detail);
    forgetManifest();
  }
  TAPE.trim();
  return valid;
}

/** `"path":` and the fault's JSON Pointer as a canonical JSON string. */
function manifestFault(detail: Buf): void {
  detail.text('"path":');
  detail.end(writeString(detail.reserve(PATH.len * 6 + 64), PATH.ptr, PATH.len));
}

const NAMED: usize = memory.data(64, 8);

function namesSequencer(content: usize, sequencer: usize): bool {
  const named = field(content, 'sequencer');
  if (!named) return true;
  hexDecode(strPtr(named), 32, NAMED);
  return same(NAMED, sequencer, 32);
}

/** Drops the compiled tables: the enclave has no Manifest. */
export function forgetManifest(): void {
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
  COLUMNS.free();
  TYPES.free();
  GATES.free();
  PATH.trim(1024);
}

// ---- init entries: walked while the Manifest's tape is there

const IDENTITY: usize = memory.data(64, 8);

/** Calls `each` with identity (32 bytes) and bitmask of every init entry. Directly after `compileManifest`. */
export function eachInit(each: (identity: usize, bits: u32) => void): void {
  if (!parse(TAPE, Rules.content, Rules.contentLength, 0)) return;
  const init = list(field(root(TAPE), 'RBAC'), 'init');
  if (init) {
    let entry = first(init);
    for (let i = count(init); i; i--) {
      hexDecode(strPtr(field(entry, 'identity')), 32, IDENTITY);
      each(IDENTITY, stateOf(field(entry, 'state')) | traitBits(field(entry, 'traits')));
      entry = next(entry);
    }
  }
  TAPE.trim();
}

// ---- compiling

function list(rbac: usize, key: string): usize {
  const rows = field(rbac, key);
  return rows != 0 && count(rows) != 0 ? rows : 0;
}

function listCount(rows: usize): u32 {
  return rows ? count(rows) : 0;
}

function traitBits(traits: usize): u32 {
  let bits: u32 = 0;
  let name = first(traits);
  for (let i = count(traits); i; i--) {
    bits |= 1 << (8 + traitOf(name));
    name = next(name);
  }
  return bits;
}

function columnSet(set: usize, names: usize): void {
  let name = first(names);
  for (let i = count(names); i; i--) {
    addColumn(set, columnOf(name));
    name = next(name);
  }
}

function opBits(ops: usize): u32 {
  let bits: u32 = 0;
  let op = first(ops);
  for (let i = count(ops); i; i--) {
    bits |= opBit(strPtr(op), strLen(op));
    op = next(op);
  }
  return bits;
}

/** Number of an event type: predefined, or FIRST_CUSTOM + index; 0 for an unknown one. */
export function typeIndex(predefined: u32, name: usize, length: usize): u32 {
  if (predefined) return predefined;
  const index = TYPES.get(name, length);
  return index < 0 ? 0 : FIRST_CUSTOM + index;
}

function compile(content: usize): void {
  const rbac = field(content, 'RBAC');
  const bundle = field(content, 'bundle');
  const size = bundle ? field(bundle, 'size') : 0;
  const timeout = bundle ? field(bundle, 'timeout') : 0;
  Rules.size = size ? <u32>intValue(size) : 256;
  Rules.timeout = timeout ? intValue(timeout) : 5000;
  Rules.owner = ownerState(content);
  compileTraits(list(rbac, 'traits'));
  compileGates(list(rbac, 'moves'), list(rbac, 'customs'));
  compileMoves(list(rbac, 'moves'));
  compileGrants(list(rbac, 'grants'), list(rbac, 'transfers'));
  compileSlots(list(rbac, 'slots'));
  compileLifecycle(list(rbac, 'lifecycle'));
  compileCustoms(list(rbac, 'customs'));
  compileReaders(list(rbac, 'readers'));
}

function compileTraits(traits: usize): void {
  Rules.traits = listCount(traits);
  Rules.rankZero = 0;
  let trait = traits ? first(traits) : 0;
  for (let i: u32 = 0; i < Rules.traits; i++) {
    const p = strPtr(trait);
    let rank: u32 = 0;
    for (let at = traitName(p, strLen(trait)) + 1; at < strLen(trait) - 1; at++) rank = rank * 10 + load<u8>(p + at) - 0x30;
    store<u32>(RANKS + (<usize>i << 2), rank);
    if (!rank) Rules.rankZero |= 1 << (8 + i);
    trait = next(trait);
  }
}

function compileGates(moves: usize, customs: usize): void {
  let gates: u32 = 0;
  for (let pass = 0; pass < 2; pass++) {
    if (pass) {
      Rules.gates = allocZero(max<usize>(gates, 1) * 56);
      Rules.gateCount = gates;
      GATES.reset(gates);
      gates = 0;
    }
    for (let part = 0; part < 2; part++) {
      const rows = part ? customs : moves;
      let row = rows ? first(rows) : 0;
      for (let i = listCount(rows); i; i--) {
        const gate = field(row, 'gate');
        if (gate) {
          if (pass) compileGate(gates, field(row, 'alias'), gate);
          gates++;
        }
        row = next(row);
      }
    }
  }
}

function compileGate(index: u32, alias: usize, gate: usize): void {
  const at = Rules.gates + <usize>index * 56;
  columnSet(at, field(gate, 'operator'));
  const open = field(gate, 'open');
  const value: u32 = open && kind(open) == TRUE ? 1 : 0;
  store<u8>(at, value, 40);
  store<u8>(at, value, 41);
  store<u32>(at, <u32>strPtr(alias), 44);
  store<u32>(at, <u32>strLen(alias), 48);
  GATES.set(strPtr(alias), strLen(alias), index);
}

function gateOf(row: usize): u32 {
  const alias = field(row, 'alias');
  if (!alias) return NO_GATE;
  const gate = GATES.get(strPtr(alias), strLen(alias));
  return gate < 0 ? NO_GATE : gate;
}

function compileMoves(rows: usize): void {
  Rules.moveCount = listCount(rows);
  let at = (Rules.moves = alloc(<usize>Rules.moveCount * 8));
  let row = rows ? first(rows) : 0;
  for (let i = Rules.moveCount; i; i--) {
    store<u8>(at, stateOf(field(row, 'from')));
    store<u8>(at, stateOf(field(row, 'to')), 1);
    store<u16>(at, columnOf(field(row, 'operator')), 2);
    store<u32>(at, gateOf(row), 4);
    at += 8;
    row = next(row);
  }
}

function compileGrants(grants: usize, transfers: usize): void {
  Rules.grantCount = listCount(grants) + listCount(transfers);
  let at = (Rules.grants = allocZero(<usize>Rules.grantCount * 80));
  for (let part = 0; part < 2; part++) {
    const rows = part ? transfers : grants;
    let row = rows ? first(rows) : 0;
    for (let i = listCount(rows); i; i--) {
      const event = field(row, 'event');
      store<u32>(at, typeNumber(strPtr(event), strLen(event)));
      store<u32>(at, traitBits(field(row, 'trait')), 4);
      const scope = field(row, 'scope');
      let state = first(scope);
      for (let j = count(scope); j; j--) {
        addState(at + 8, stateOf(state));
        state = next(state);
      }
      columnSet(at + 40, field(row, 'operator'));
      at += 80;
      row = next(row);
    }
  }
}

function compileSlots(rows: usize): void {
  Rules.slotCount = listCount(rows);
  let size: usize = 0;
  let row = rows ? first(rows) : 0;
  for (let i = Rules.slotCount; i; i--) {
    size += strLen(field(row, 'key'));
    row = next(row);
  }
  let at = (Rules.slots = alloc(<usize>Rules.slotCount * 16));
  let to = (slotKeys = alloc(size));
  row = rows ? first(rows) : 0;
  for (let i = Rules.slotCount; i; i--) {
    const event = field(row, 'event');
    const key = field(row, 'key');
    let length = strLen(key);
    const prefix = load<u8>(strPtr(key) + length - 1) == 0x2a;
    if (prefix) length--;
    memory.copy(to, strPtr(key), length);
    store<u8>(at, typeNumber(strPtr(event), strLen(event)));
    store<u8>(at, prefix, 1);
    store<u16>(at, columnOf(field(row, 'operator')), 2);
    store<u16>(at, opBits(field(row, 'ops')), 4);
    store<u32>(at, <u32>to, 8);
    store<u32>(at, <u32>length, 12);
    to += length;
    at += 16;
    row = next(row);
  }
}

function compileLifecycle(rows: usize): void {
  Rules.lifecycleCount = listCount(rows);
  let at = (Rules.lifecycle = alloc(<usize>Rules.lifecycleCount * 4));
  let row = rows ? first(rows) : 0;
  for (let i = Rules.lifecycleCount; i; i--) {
    const event = field(row, 'event');
    store<u8>(at, typeNumber(strPtr(event), strLen(event)));
    store<u16>(at, columnOf(field(row, 'operator')), 2);
    at += 4;
    row = next(row);
  }
}

function compileCustoms(rows: usize): void {
  Rules.customCount = listCount(rows);
  TYPES.reset(Rules.customCount);
  Rules.types = allocZero(<usize>Rules.customCount * 8);
  Rules.customs = alloc(<usize>Rules.customCount * 8);
  Rules.typeCount = 0;
  // How many rows a type has; then where they begin; then the rows.
  let row = rows ? first(rows) : 0;
  for (let i = Rules.customCount; i; i--) {
    const event = field(row, 'event');
    let type = TYPES.get(strPtr(event), strLen(event));
    if (type < 0) {
      type = Rules.typeCount++;
      TYPES.set(strPtr(event), strLen(event), type);
    }
    const at = Rules.types + (<usize>type << 3);
    store<u32>(at, load<u32>(at, 4) + 1, 4);
    row = next(row);
  }
  let start: u32 = 0;
  for (let type: u32 = 0; type < Rules.typeCount; type++) {
    const at = Rules.types + (<usize>type << 3);
    const n = load<u32>(at, 4);
    store<u32>(at, start);
    store<u32>(at, start, 4);
    start += n;
  }
  row = rows ? first(rows) : 0;
  for (let i = Rules.customCount; i; i--) {
    const event = field(row, 'event');
    const type = Rules.types + (<usize>TYPES.get(strPtr(event), strLen(event)) << 3);
    const at = Rules.customs + (<usize>load<u32>(type, 4) << 3);
    store<u16>(at, columnOf(field(row, 'operator')));
    store<u16>(at, opBits(field(row, 'ops')), 2);
    store<u32>(at, gateOf(row), 4);
    store<u32>(type, load<u32>(type, 4) + 1, 4);
    row = next(row);
  }
}

function compileReaders(rows: usize): void {
  Rules.readerCount = listCount(rows);
  Rules.readerSize = 8 + (((FIRST_CUSTOM + Rules.typeCount + 63) >> 6) << 3);
  memory.fill(MARKED, 0, SET_SIZE);
  let at = (Rules.readers = allocZero(<usize>Rules.readerCount * Rules.readerSize));
  let row = rows ? first(rows) : 0;
  for (let i = Rules.readerCount; i; i--) {
    const column = columnOf(field(row, 'type'));
    const retention = field(row, 'retention');
    const snapshot = retention != 0 && isString(retention, 'snapshot');
    if (snapshot && column < <i32>PUBLIC) addColumn(MARKED, column);
    const reads = field(row, 'reads');
    const all = isString(reads, '*');
    store<u16>(at, column);
    store<u8>(at, snapshot, 2);
    store<u8>(at, all, 3);
    if (!all) {
      let name = first(reads);
      for (let j = count(reads); j; j--) {
        const type = typeIndex(typeNumber(strPtr(name), strLen(name)), strPtr(name), strLen(name));
        const byte = at + 8 + (type >> 3);
        if (type) store<u8>(byte, <u32>load<u8>(byte) | (1 << (type & 7)));
        name = next(name);
      }
    }
    at += Rules.readerSize;
    row = next(row);
  }
}
