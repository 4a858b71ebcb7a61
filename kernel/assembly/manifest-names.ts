import { addState, hasState, PUBLIC, SELF, SENDER, TRAIT } from './columns';
import { count, field, first, isString, next, strLen, strPtr } from './json';
import { enter, enterIndex, leave, traitName } from './manifest-shape';
import { isText, putText } from './memory';
import { Names } from './names';

/**
 * Second and third pass over a Manifest of good shape (PROTOCOL §4): what is named exists and is unique; then In and
 * Out. The order is that of `protocol/manifest-names.ts`. When a check fails, `PATH` is the JSON Pointer of the fault.
 */

/** Columns by name: states, traits (bare) and contexts. They stay after the checks. */
export const COLUMNS = changetype<Names>(memory.data(12, 8));
/** Scratch: aliases that have a gate, identities, traits of an entry. */
const SEEN = changetype<Names>(memory.data(12, 8));

const CONTEXT_NAMES: usize = memory.data(32, 8);
const OUTSIDER_NAME: usize = memory.data(8, 8);
putText(CONTEXT_NAMES, 'PublicSelfSender');
putText(OUTSIDER_NAME, 'OUTSIDER');

/** Moves into and out of states, states of init entries. */
const INTO: usize = memory.data(32, 8);
const OUT_OF: usize = memory.data(32, 8);
const INITIAL: usize = memory.data(32, 8);

/** The column of a string, −1 if there is none. */
export function columnOf(name: usize): i32 {
  return COLUMNS.get(strPtr(name), strLen(name));
}

/** The State value of a string, −1 if there is none. */
export function stateOf(name: usize): i32 {
  const column = columnOf(name);
  return column < <i32>TRAIT ? column : -1;
}

/** The trait index of a string (a bare name), −1 if there is none. */
export function traitOf(name: usize): i32 {
  const column = columnOf(name);
  return column >= <i32>TRAIT && column < <i32>PUBLIC ? column - <i32>TRAIT : -1;
}

function isColumn(name: usize): bool {
  return columnOf(name) >= 0;
}

function isState(name: usize): bool {
  return stateOf(name) >= 0;
}

function isTrait(name: usize): bool {
  return traitOf(name) >= 0;
}

/** Checks every element of a list that may be absent. */
function each(from: usize, key: string, check: (element: usize, index: u32) => bool): bool {
  const list = field(from, key);
  if (!list) return true;
  const at = enter(key);
  let element = first(list);
  for (let i: u32 = 0; i < count(list); i++) {
    const inner = enterIndex(i);
    if (!check(element, i)) return false;
    leave(inner);
    element = next(element);
  }
  leave(at);
  return true;
}

function named(row: usize, key: string, exists: (name: usize) => bool): bool {
  if (exists(field(row, key))) return true;
  enter(key);
  return false;
}

function allNamed(row: usize, key: string, exists: (name: usize) => bool): bool {
  const list = field(row, key);
  let element = first(list);
  for (let i: u32 = 0; i < count(list); i++) {
    if (!exists(element)) {
      enter(key);
      enterIndex(i);
      return false;
    }
    element = next(element);
  }
  return true;
}

function gateNamed(row: usize): bool {
  const gate = field(row, 'gate');
  if (!gate) return true;
  const at = enter('gate');
  if (!allNamed(gate, 'operator', isColumn)) return false;
  leave(at);
  return true;
}

export function manifestNames(content: usize): bool {
  const rbac = field(content, 'RBAC');
  COLUMNS.reset(300);
  COLUMNS.set(OUTSIDER_NAME, 8, 0);
  leave(0);
  enter('RBAC');
  if (!each(rbac, 'states', addStateName) || !each(rbac, 'traits', addTraitName)) return false;
  COLUMNS.set(CONTEXT_NAMES, 6, PUBLIC);
  COLUMNS.set(CONTEXT_NAMES + 6, 4, SELF);
  COLUMNS.set(CONTEXT_NAMES + 10, 6, SENDER);
  if (!each(rbac, 'readers', reader) || !each(rbac, 'moves', move) || !each(rbac, 'grants', grant)) return false;
  if (!each(rbac, 'transfers', grant) || !each(rbac, 'slots', operated) || !each(rbac, 'lifecycle', operated)) return false;
  if (!each(rbac, 'customs', custom) || !each(rbac, 'init', initNames)) return false;
  SEEN.reset(16);
  if (!each(rbac, 'moves', gate) || !each(rbac, 'customs', gate) || !each(rbac, 'moves', notItself)) return false;
  SEEN.reset(16);
  return each(rbac, 'init', initUnique) && inAndOut(rbac);
}

/** Gives the scratch memory back. */
export function manifestNamesDone(): void {
  SEEN.free();
}

function addStateName(name: usize, index: u32): bool {
  return COLUMNS.set(strPtr(name), strLen(name), index + 1);
}

function addTraitName(name: usize, index: u32): bool {
  return COLUMNS.set(strPtr(name), traitName(strPtr(name), strLen(name)), TRAIT + index);
}

function reader(row: usize, index: u32): bool {
  return named(row, 'type', isColumn);
}

function move(row: usize, index: u32): bool {
  return named(row, 'from', isState) && named(row, 'to', isState) && named(row, 'operator', isColumn) && gateNamed(row);
}

function grant(row: usize, index: u32): bool {
  return allNamed(row, 'operator', isColumn) && allNamed(row, 'scope', isState) && allNamed(row, 'trait', isTrait);
}

function operated(row: usize, index: u32): bool {
  return named(row, 'operator', isColumn);
}

function custom(row: usize, index: u32): bool {
  return named(row, 'operator', isColumn) && gateNamed(row);
}

function initNames(entry: usize, index: u32): bool {
  return named(entry, 'state', isState) && allNamed(entry, 'traits', isTrait);
}

/** A gate has an alias, and no alias has a second gate. */
function gate(row: usize, index: u32): bool {
  if (!field(row, 'gate')) return true;
  const alias = field(row, 'alias');
  if (!alias) {
    enter('alias');
    return false;
  }
  if (SEEN.set(strPtr(alias), strLen(alias), 1)) return true;
  enter('gate');
  return false;
}

function notItself(row: usize, index: u32): bool {
  if (stateOf(field(row, 'from')) != stateOf(field(row, 'to'))) return true;
  enter('to');
  return false;
}

function initUnique(entry: usize, index: u32): bool {
  const identity = field(entry, 'identity');
  if (!SEEN.set(strPtr(identity), 64, 1)) {
    enter('identity');
    return false;
  }
  const traits = field(entry, 'traits');
  let held: u32 = 0;
  let trait = first(traits);
  for (let i: u32 = 0; i < count(traits); i++) {
    const bit: u32 = 1 << traitOf(trait);
    if (held & bit) {
      enter('traits');
      enterIndex(i);
      return false;
    }
    held |= bit;
    trait = next(trait);
  }
  if (held && isString(field(entry, 'state'), 'OUTSIDER')) {
    enter('traits');
    return false;
  }
  return true;
}

function inAndOut(rbac: usize): bool {
  memory.fill(INTO, 0, 32);
  memory.fill(OUT_OF, 0, 32);
  memory.fill(INITIAL, 0, 32);
  return each(rbac, 'moves', countMove) && each(rbac, 'init', countInit) && each(rbac, 'states', reachable);
}

function countMove(row: usize, index: u32): bool {
  addState(OUT_OF, stateOf(field(row, 'from')));
  addState(INTO, stateOf(field(row, 'to')));
  return true;
}

function countInit(entry: usize, index: u32): bool {
  addState(INITIAL, stateOf(field(entry, 'state')));
  return true;
}

function reachable(name: usize, index: u32): bool {
  const state = index + 1;
  const into = hasState(INTO, state);
  const initial = hasState(INITIAL, state);
  return (into || initial) && (hasState(OUT_OF, state) || (initial && !into));
}

/** Value of the State named `OWNER`, −1 if there is none. */
export function ownerState(content: usize): i32 {
  const states = field(field(content, 'RBAC'), 'states');
  if (!states) return -1;
  let name = first(states);
  for (let i: u32 = 0; i < count(states); i++) {
    if (isText(strPtr(name), strLen(name), 'OWNER')) return i + 1;
    name = next(name);
  }
  return -1;
}
