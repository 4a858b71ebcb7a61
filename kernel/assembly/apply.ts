import { unsealedClosings } from './batch';
import { CONTEXT_PUBLIC, CONTEXT_SENDER, OP_D, OP_U } from './columns';
import { Commit } from './commit';
import { ctRoot } from './ct';
import { findEvent, META, metaCustomType } from './event-meta';
import { hexDecode, hexEncode } from './hex';
import { field, INT, intValue, kind, OBJECT, parse, root, STRING, strLen, strPtr, Tape, TRUE } from './json';
import { MAX_SLOT_KEY, ownKey, sharedKey } from './keys';
import * as L from './layout';
import { compileManifest, eachInit } from './manifest';
import { isHex32 } from './manifest-shape';
import { Buf, putDecimal, same32 } from './memory';
import { authorizeCustom, authorizeLifecycle, authorizeSlot, decideCustom } from './rbac';
import { access, accessBundle, failedOp } from './rbac-access';
import { TYPES } from './rules';
import { smtGet } from './smt';
import {
  ACTIVE, bitsOf, dropLost, isDeleted, MIGRATED, NEW_SEQUENCER, PAUSED, setBits, setEventStatus, setLeaf, setStatus, State, TERMINATED,
} from './state';

/**
 * The state transition of one event: content shape, then rights, then effect (PROTOCOL §3, §5). Works on `Commit`, between
 * `beginChanges` and `undoChanges` or `keepChanges`. Results are 0 or an error number.
 */

/** Fields of the last error: a canonical JSON fragment without braces. */
export const DETAIL = changetype<Buf>(memory.data(12, 8));

const TAPE = changetype<Tape>(memory.data(40, 8));
const KEY: usize = memory.data(40, 8);
const TARGET: usize = memory.data(32, 16);
const ROOT: usize = memory.data(32, 16);

/** The first event. `sequencer`: the key whose event it would be. */
export function applyManifest(sequencer: usize): i32 {
  if (!compileManifest(Commit.content, Commit.contentLength, sequencer, DETAIL)) return L.E_INVALID_MANIFEST;
  eachInit(setBits);
  // What a member held before the enclave began was never a column that it could lose.
  dropLost();
  return 0;
}

/** May an event of this type pass in this status? The answer is the same whoever asks. */
export function statusRefusal(status: u32, type: u32): i32 {
  if (status == ACTIVE) return 0;
  if (status == TERMINATED) return L.E_TERMINATED;
  if (status == MIGRATED) {
    DETAIL.text('"new_sequencer":"');
    DETAIL.end(hexEncode(NEW_SEQUENCER, 32, DETAIL.reserve(128)));
    DETAIL.u8(0x22);
    return L.E_MIGRATED;
  }
  return type == L.T_RESUME || type == L.T_TERMINATE || type == L.T_MIGRATE ? 0 : L.E_PAUSED;
}

/** Any later event, in a status that lets it pass. */
export function apply(): i32 {
  const type = Commit.type;
  if (type == L.T_CUSTOM) {
    const index = TYPES.get(Commit.typeName, Commit.typeLength);
    return index < 0 ? L.E_FORBIDDEN : authorizeCustom(index, bitsOf(Commit.from));
  }
  if (type == L.T_MANIFEST) return L.E_ENCLAVE_EXISTS;
  if (type == L.T_LANES) return L.E_FORBIDDEN;
  if (Commit.flags & L.FLAG_ERASED) {
    if (type != L.T_UPDATE || !(Commit.flags & L.FLAG_TARGET)) return L.E_INVALID_CONTENT;
    return applyToTarget(type, Commit.target);
  }
  if (!parse(TAPE, Commit.content, Commit.contentLength, 0)) return L.E_INVALID_CONTENT;
  const result = applyContent(type, root(TAPE));
  TAPE.trim();
  return result;
}

function applyContent(type: u32, content: usize): i32 {
  if (kind(content) != OBJECT) return L.E_INVALID_CONTENT;
  switch (type) {
    case L.T_MOVE:
    case L.T_GRANT:
    case L.T_REVOKE:
    case L.T_TRANSFER:
    case L.T_GATE:
      return access(type, content, Commit.from);
    case L.T_AC_BUNDLE: {
      const refused = accessBundle(content, Commit.from);
      if (refused && failedOp >= 0) {
        DETAIL.text('"op":');
        DETAIL.end(putDecimal(DETAIL.reserve(24), failedOp));
      }
      return refused;
    }
    case L.T_SHARED:
    case L.T_OWN:
      return applySlot(type, content);
    case L.T_UPDATE:
    case L.T_DELETE: {
      const target = field(content, 'target');
      if (!target || !isHex32(target)) return L.E_INVALID_CONTENT;
      if (type == L.T_UPDATE && !field(content, 'content')) return L.E_INVALID_CONTENT;
      hexDecode(strPtr(target), 32, TARGET);
      return applyToTarget(type, TARGET);
    }
    case L.T_MIGRATE:
      return applyMigrate(content);
    default:
      return applyLifecycle(type);
  }
}

function applySlot(type: u32, content: usize): i32 {
  const key = field(content, 'key');
  if (!key || kind(key) != STRING || strLen(key) - 1 >= MAX_SLOT_KEY) return L.E_INVALID_CONTENT;
  const removal = field(content, 'delete');
  const value = field(content, 'value');
  if ((value != 0) == (removal != 0)) return L.E_INVALID_CONTENT;
  if (removal && kind(removal) != TRUE) return L.E_INVALID_CONTENT;
  if (type == L.T_SHARED) sharedKey(strPtr(key), strLen(key), KEY);
  else ownKey(strPtr(key), strLen(key), Commit.from, KEY);
  const present = smtGet(KEY) != 0;
  const refused = authorizeSlot(type, strPtr(key), strLen(key), present, removal != 0, bitsOf(Commit.from));
  if (refused) return refused;
  setLeaf(KEY, removal ? 0 : Commit.hash);
  return 0;
}

/** Update and Delete: op U / D on the target's type, with Sender where its author is the sender. */
function applyToTarget(type: u32, target: usize): i32 {
  const custom = findEvent(target) ? metaCustomType() : -1;
  if (custom < 0) return L.E_EVENT_NOT_FOUND;
  const contexts = same32(META, Commit.from) ? CONTEXT_PUBLIC | CONTEXT_SENDER : CONTEXT_PUBLIC;
  const refused = decideCustom(custom, type == L.T_UPDATE ? OP_U : OP_D, bitsOf(Commit.from), contexts);
  if (refused) return refused;
  if (isDeleted(target)) return L.E_DELETED;
  setEventStatus(target, type == L.T_UPDATE ? Commit.hash : 0);
  return 0;
}

function applyLifecycle(type: u32): i32 {
  const refused = authorizeLifecycle(type, bitsOf(Commit.from));
  if (refused) return refused;
  if (type == L.T_RESUME) {
    if (State.status != PAUSED) return L.E_NO_CHANGE;
    setStatus(ACTIVE);
  } else {
    setStatus(type == L.T_PAUSE ? PAUSED : TERMINATED);
  }
  return 0;
}

function applyMigrate(content: usize): i32 {
  const next = field(content, 'new_sequencer');
  const head = field(content, 'prev_seq');
  const tree = field(content, 'ct_root');
  if (!next || !isHex32(next) || !tree || !isHex32(tree)) return L.E_INVALID_CONTENT;
  if (!head || kind(head) != INT || intValue(head) < 0) return L.E_INVALID_CONTENT;
  const refused = authorizeLifecycle(L.T_MIGRATE, bitsOf(Commit.from));
  if (refused) return refused;
  // A closing that waits for its signatures has no root yet, so nobody can have named it.
  if (intValue(head) != State.seq || unsealedClosings()) return L.E_STATE_MISMATCH;
  hexDecode(strPtr(tree), 32, TARGET);
  ctRoot(ROOT);
  if (!same32(TARGET, ROOT)) return L.E_STATE_MISMATCH;
  setStatus(MIGRATED);
  hexDecode(strPtr(next), 32, NEW_SEQUENCER);
  return 0;
}
