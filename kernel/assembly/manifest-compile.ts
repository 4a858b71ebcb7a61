import { addColumn, addState, opBit, PUBLIC, SET_SIZE } from './columns';
import { typeNumber } from './inspect-commit';
import { count, field, first, intValue, isString, kind, next, strLen, strPtr, TRUE } from './json';
import { columnOf, ownerState, stateOf, traitOf } from './manifest-names';
import { traitName } from './manifest-shape';
import { alloc, allocZero } from './memory';
import { allocSlotKeys, FIRST_CUSTOM, GATES, MARKED, NO_GATE, RANKS, Rules, typeIndex, TYPES } from './rules';

/** From a Manifest of good shape and names to the tables of `Rules`. */

/** Rows of a list, 0 if it is absent or empty. */
export function list(rbac: usize, key: string): usize {
  const rows = field(rbac, key);
  return rows != 0 && count(rows) != 0 ? rows : 0;
}

function listCount(rows: usize): u32 {
  return rows ? count(rows) : 0;
}

/** Traits by name as bits of a bitmask. */
export function traitBits(traits: usize): u32 {
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

/** Compiles a Manifest that has passed all checks. */
export function compileRules(content: usize): void {
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
  let to = allocSlotKeys(size);
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
