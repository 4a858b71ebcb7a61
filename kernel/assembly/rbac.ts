import { CONTEXT_PUBLIC, CONTEXT_SENDER, DENY, isActive, OP_C, OP_D, OP_U } from './columns';
import * as L from './layout';
import { same } from './memory';
import { NO_GATE, Rules } from './rules';
import { isGateOpen } from './state';

/**
 * How rows of the matrix decide (PROTOCOL §5): an op is allowed iff some matching row with an active operator, and an
 * open gate if it is gated, lists it, and no matching row with an active operator lists its denial; denials ignore
 * gates. A decision is 0 (allowed), E_FORBIDDEN or E_GATE_CLOSED (only a closed gate prevents it).
 */
let verdict: i32 = 0;

/** One more row that matches and whose operator is active. False: the decision stands (denied). */
function weigh(ops: u32, op: u32, gate: u32): bool {
  if (ops & (op << DENY)) {
    verdict = L.E_FORBIDDEN;
    return false;
  }
  if (ops & op) {
    if (gate == NO_GATE || isGateOpen(gate)) verdict = 0;
    else if (verdict == L.E_FORBIDDEN) verdict = L.E_GATE_CLOSED;
  }
  return true;
}

/** `type`: index of a custom type. */
export function decideCustom(type: u32, op: u32, bits: u32, contexts: u32): i32 {
  const at = Rules.types + (<usize>type << 3);
  const end = Rules.customs + (<usize>load<u32>(at, 4) << 3);
  verdict = L.E_FORBIDDEN;
  for (let row = Rules.customs + (<usize>load<u32>(at) << 3); row < end; row += 8) {
    if (isActive(load<u16>(row), bits, contexts) && !weigh(load<u16>(row, 2), op, load<u32>(row, 4))) break;
  }
  return verdict;
}

/** Does any row of a custom type with an active operator list this bit (an op or a denial)? */
export function customLists(type: u32, bit: u32, bits: u32, contexts: u32): bool {
  const at = Rules.types + (<usize>type << 3);
  const end = Rules.customs + (<usize>load<u32>(at, 4) << 3);
  for (let row = Rules.customs + (<usize>load<u32>(at) << 3); row < end; row += 8) {
    if (<u32>load<u16>(row, 2) & bit && isActive(load<u16>(row), bits, contexts)) return true;
  }
  return false;
}

/** Does this row cover the key? `prefix`: the key stands for all keys that begin so. */
function covers(row: usize, type: u32, key: usize, length: usize, prefix: bool): bool {
  if (<u32>load<u8>(row) != type) return false;
  const rowLength = <usize>load<u32>(row, 12);
  if (load<u8>(row, 1)) return length >= rowLength && same(<usize>load<u32>(row, 8), key, rowLength);
  return !prefix && length == rowLength && same(<usize>load<u32>(row, 8), key, rowLength);
}

/** `type`: Shared or Own. */
export function decideSlot(type: u32, key: usize, length: usize, prefix: bool, op: u32, bits: u32, contexts: u32): i32 {
  const end = Rules.slots + (<usize>Rules.slotCount << 4);
  verdict = L.E_FORBIDDEN;
  for (let row = Rules.slots; row < end; row += 16) {
    if (!covers(row, type, key, length, prefix) || !isActive(load<u16>(row, 2), bits, contexts)) continue;
    if (!weigh(load<u16>(row, 4), op, NO_GATE)) break;
  }
  return verdict;
}

export function slotLists(type: u32, key: usize, length: usize, prefix: bool, bit: u32, bits: u32, contexts: u32): bool {
  const end = Rules.slots + (<usize>Rules.slotCount << 4);
  for (let row = Rules.slots; row < end; row += 16) {
    if (!(<u32>load<u16>(row, 4) & bit) || !covers(row, type, key, length, prefix)) continue;
    if (isActive(load<u16>(row, 2), bits, contexts)) return true;
  }
  return false;
}

/** Creation of a custom event. `Sender` never holds for C. */
export function authorizeCustom(type: u32, bits: u32): i32 {
  return decideCustom(type, OP_C, bits, CONTEXT_PUBLIC);
}

/**
 * Shared and Own: C if the slot is absent, U if present, D to delete. `Sender` holds for U and D of Own, whose slot only
 * the sender can have written.
 */
export function authorizeSlot(type: u32, key: usize, length: usize, present: bool, deletes: bool, bits: u32): i32 {
  const op = deletes ? OP_D : present ? OP_U : OP_C;
  const contexts = type == L.T_OWN && op != OP_C ? CONTEXT_PUBLIC | CONTEXT_SENDER : CONTEXT_PUBLIC;
  const refused = decideSlot(type, key, length, false, op, bits, contexts);
  if (refused) return refused;
  return deletes && !present ? L.E_NO_CHANGE : 0;
}

/** Pause, Resume, Terminate, Migrate: by its rows; without any, by rank-0 traits, or where there are none, by OWNER. */
export function authorizeLifecycle(type: u32, bits: u32): i32 {
  const end = Rules.lifecycle + (<usize>Rules.lifecycleCount << 2);
  let named = false;
  for (let row = Rules.lifecycle; row < end; row += 4) {
    if (<u32>load<u8>(row) != type) continue;
    if (isActive(load<u16>(row, 2), bits, CONTEXT_PUBLIC)) return 0;
    named = true;
  }
  if (named) return L.E_FORBIDDEN;
  if (Rules.rankZero) return bits & Rules.rankZero ? 0 : L.E_FORBIDDEN;
  return <i32>(bits & 0xff) == Rules.owner ? 0 : L.E_FORBIDDEN;
}
