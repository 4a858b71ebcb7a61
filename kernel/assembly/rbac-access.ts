import { anyActive, CONTEXT_PUBLIC, CONTEXT_SELF, hasState, isActive } from './columns';
import { hexDecode } from './hex';
import { ARRAY, count, FALSE, field, first, isString, kind, next, OBJECT, STRING, strLen, strPtr, TRUE } from './json';
import * as L from './layout';
import { stateOf, traitOf } from './manifest-names';
import { isHex32 } from './manifest-shape';
import { Buf, copy32, same32 } from './memory';
import { GATES, NO_GATE, RANKS, Rules } from './rules';
import { bitsOf, isGateOpen, setBits, setGate } from './state';

/**
 * Move, Grant, Revoke, Transfer, Gate and AC_Bundle (PROTOCOL §5), as `protocol/rules-content.ts` and
 * `protocol/rules-access.ts` define them: shapes first (`readAccess`), then rights and effect (`applyAccess`).
 */
const MAX_OPS: u32 = 64;
const MAX_ENDPOINT: usize = 2048;
/** Rank of somebody without any. */
const NO_RANK: i64 = i64.MAX_VALUE;

/** An op that was read: 0 u32 type  4 u32 from, trait or gate  8 u32 to, or open  16 bytes32 target. */
const OP_SIZE: usize = 48;
const OPS = changetype<Buf>(memory.data(12, 8));

/** Reads one op. False: its content does not fit (`invalid_content`). */
function readAccess(type: u32, content: usize, op: usize): bool {
  if (!content || kind(content) != OBJECT) return false;
  store<u32>(op, type);
  if (type == L.T_GATE) {
    const alias = field(content, 'alias');
    const open = field(content, 'open');
    if (!alias || kind(alias) != STRING || !open || (kind(open) != TRUE && kind(open) != FALSE)) return false;
    const gate = GATES.get(strPtr(alias), strLen(alias));
    store<u32>(op, gate, 4);
    store<u32>(op, kind(open) == TRUE ? 1 : 0, 8);
    return gate >= 0;
  }
  const target = field(content, 'target');
  if (!target || !isHex32(target)) return false;
  hexDecode(strPtr(target), 32, op + 16);
  if (type == L.T_MOVE) {
    const from = stateNamed(field(content, 'from'));
    const to = stateNamed(field(content, 'to'));
    store<u32>(op, from, 4);
    store<u32>(op, to, 8);
    return from >= 0 && to >= 0;
  }
  const name = field(content, 'trait');
  if (!name || kind(name) != STRING) return false;
  const trait = traitOf(name);
  store<u32>(op, trait, 4);
  return trait >= 0 && (type == L.T_TRANSFER || endpointFits(field(content, 'endpoint')));
}

function stateNamed(name: usize): i32 {
  return name && kind(name) == STRING ? stateOf(name) : -1;
}

function endpointFits(endpoint: usize): bool {
  return !endpoint || (kind(endpoint) == STRING && strLen(endpoint) - 1 < MAX_ENDPOINT);
}

function accessType(name: usize): u32 {
  if (!name) return 0;
  if (isString(name, 'Move')) return L.T_MOVE;
  if (isString(name, 'Grant')) return L.T_GRANT;
  if (isString(name, 'Revoke')) return L.T_REVOKE;
  if (isString(name, 'Transfer')) return L.T_TRANSFER;
  return isString(name, 'Gate') ? L.T_GATE : 0;
}

/** One access event of `sender`: 0 or an error. Changes are noted in the undo list. */
export function access(type: u32, content: usize, sender: usize): i32 {
  const op = OPS.reserve(OP_SIZE);
  return readAccess(type, content, op) ? applyAccess(op, sender) : L.E_INVALID_CONTENT;
}

/** Index of the op that an AC_Bundle was refused for, −1 if it was refused as a whole. */
export let failedOp: i32 = -1;

/** An AC_Bundle of `sender`: all shapes, then each op on the state that the one before left. 0 or an error. */
export function accessBundle(content: usize, sender: usize): i32 {
  failedOp = -1;
  if (kind(content) != OBJECT) return L.E_INVALID_CONTENT;
  const ops = field(content, 'ops');
  if (!ops || kind(ops) != ARRAY || count(ops) - 1 >= MAX_OPS) return L.E_INVALID_CONTENT;
  const n = count(ops);
  const read = OPS.reserve(<usize>n * OP_SIZE);
  let op = first(ops);
  for (let i: u32 = 0; i < n; i++) {
    const type = kind(op) == OBJECT ? accessType(field(op, 'type')) : 0;
    if (!type || !readAccess(type, field(op, 'content'), read + <usize>i * OP_SIZE)) {
      failedOp = i;
      return L.E_INVALID_CONTENT;
    }
    op = next(op);
  }
  for (let i: u32 = 0; i < n; i++) {
    const refused = applyAccess(read + <usize>i * OP_SIZE, sender);
    if (refused) {
      failedOp = i;
      return refused;
    }
  }
  return 0;
}

function applyAccess(op: usize, sender: usize): i32 {
  const type = load<u32>(op);
  if (type == L.T_GATE) return applyGate(op, sender);
  const actor = bitsOf(sender);
  const target = bitsOf(op + 16);
  const self = same32(op + 16, sender);
  const contexts = self ? CONTEXT_PUBLIC | CONTEXT_SELF : CONTEXT_PUBLIC;
  if (type == L.T_MOVE) return applyMove(op, actor, target, self, contexts);
  const refused = decideTrait(type, load<u32>(op, 4), actor, target, contexts);
  if (refused) return refused;
  if (type == L.T_TRANSFER) return applyTransfer(op, sender, actor, target, self);
  return applyGrantOrRevoke(op, type == L.T_GRANT, actor, target, self);
}

/** rank(X): the lower, the higher the authority. */
function rankOf(bits: u32): i64 {
  if (<i32>(bits & 0xff) == Rules.owner) return -1;
  let rank = NO_RANK;
  for (let traits = bits >> 8; traits; traits &= traits - 1) {
    rank = min<i64>(rank, load<u32>(RANKS + (<usize>ctz<u32>(traits) << 2)));
  }
  return rank;
}

/** The rank rule's first half: may A not act on B ≠ A? */
function outranked(actor: u32, target: u32): bool {
  const rank = rankOf(target);
  return rank != NO_RANK && rank <= rankOf(actor);
}

function applyMove(op: usize, actor: u32, target: u32, self: bool, contexts: u32): i32 {
  const from = load<u32>(op, 4);
  const to = load<u32>(op, 8);
  let verdict = L.E_FORBIDDEN;
  const end = Rules.moves + (<usize>Rules.moveCount << 3);
  for (let row = Rules.moves; row < end; row += 8) {
    if (<u32>load<u8>(row) != from || <u32>load<u8>(row, 1) != to || !isActive(load<u16>(row, 2), actor, contexts)) continue;
    const gate = load<u32>(row, 4);
    if (gate == NO_GATE || isGateOpen(gate)) {
      verdict = 0;
      break;
    }
    verdict = L.E_GATE_CLOSED;
  }
  if (verdict) return verdict;
  if ((target & 0xff) != from) return L.E_STATE_MISMATCH;
  if (!self && outranked(actor, target)) return L.E_RANK;
  if (!to && target & Rules.rankZero) return L.E_OWNER_MUST_TRANSFER;
  setBits(op + 16, to ? (target & ~0xff) | to : 0);
  return 0;
}

/** Rows of Grant, Revoke and Transfer match by the target's State and the trait. */
function decideTrait(type: u32, trait: u32, actor: u32, target: u32, contexts: u32): i32 {
  const bit: u32 = 1 << (8 + trait);
  const end = Rules.grants + <usize>Rules.grantCount * 80;
  for (let row = Rules.grants; row < end; row += 80) {
    if (load<u32>(row) != type || !(load<u32>(row, 4) & bit) || !hasState(row + 8, target & 0xff)) continue;
    if (anyActive(row + 40, actor, contexts)) return 0;
  }
  return L.E_FORBIDDEN;
}

function applyGrantOrRevoke(op: usize, grant: bool, actor: u32, target: u32, self: bool): i32 {
  if (!self && outranked(actor, target)) return L.E_RANK;
  const trait = load<u32>(op, 4);
  const bit: u32 = 1 << (8 + trait);
  const authority = rankOf(actor);
  const floor = authority == NO_RANK ? 0 : authority;
  if (!(self && !grant) && <i64>load<u32>(RANKS + (<usize>trait << 2)) <= floor) return L.E_RANK;
  if (((target & bit) != 0) == grant) return L.E_NO_CHANGE;
  setBits(op + 16, grant ? target | bit : target & ~bit);
  return 0;
}

const TARGET: usize = memory.data(32, 16);

function applyTransfer(op: usize, sender: usize, actor: u32, target: u32, self: bool): i32 {
  const bit: u32 = 1 << (8 + load<u32>(op, 4));
  if (!(actor & bit)) return L.E_FORBIDDEN;
  if (self || target & bit) return L.E_NO_CHANGE;
  copy32(TARGET, op + 16);
  setBits(sender, actor & ~bit);
  setBits(TARGET, target | bit);
  return 0;
}

function applyGate(op: usize, sender: usize): i32 {
  const gate = load<u32>(op, 4);
  const open = <bool>load<u32>(op, 8);
  if (!anyActive(Rules.gates + <usize>gate * 56, bitsOf(sender), CONTEXT_PUBLIC)) return L.E_FORBIDDEN;
  if (isGateOpen(gate) == open) return L.E_NO_CHANGE;
  setGate(gate, open);
  return 0;
}
