import { findReleased, META, META_SEQ } from './event-meta';
import { OUT } from './input';
import { NAMESPACE_KV, NAMESPACE_RBAC, NAMESPACE_STATUS, rawKey } from './keys';
import { KV_GATE, KV_OWN, KV_SHARED, KV_STATUS, kvFrom, kvKind, kvName, kvNameLen, NOT_KV } from './kv-key';
import * as L from './layout';
import { same32 } from './memory';
import { hexField, numberField } from './read-json';
import { mayReadStored } from './read-log';
import { answerLen, ask, NEED, need, NEED_EVENT } from './read-needs';
import { mayReadAnything, mayReadSlot, mayReadType } from './read-rules';
import { smtClosedRoot, smtProofKey, smtProofValue, smtProve } from './smt';
import { State } from './state';

/** Proofs of the state tree of the last closed bundle (PROTOCOL §6, §9). */

/** KEY_BITS siblings */
const SIBLINGS: usize = memory.data(168 * 32, 16);
const KEY: usize = memory.data(40, 8);

function wellFormed(namespace: u32, key: usize, length: usize): bool {
  return namespace == NAMESPACE_KV ? kvKind(key, length) != NOT_KV : length == 32;
}

export function stateProofs(request: usize, single: bool): i32 {
  const payload = request + L.Q_PAYLOAD;
  const namespace = <u32>load<u8>(payload);
  const count = load<u32>(payload, 4);
  let key = payload + 8;
  for (let i: u32 = 0; i < count; i++) {
    const length = <usize>load<u16>(key);
    if (!wellFormed(namespace, key + 2, length)) return L.E_INVALID_FILTER;
    if (namespace == NAMESPACE_STATUS && findReleased(key + 2)) need(NEED_EVENT, load<u64>(META, META_SEQ), 0);
    key += 2 + length;
  }
  // Only an event's own record says who may read it; all of them are asked for at once.
  let stored = ask();
  if (stored < 0) return NEED;
  key = payload + 8;
  for (let i: u32 = 0; i < count; i++) {
    const known = namespace == NAMESPACE_STATUS && findReleased(key + 2);
    if (!mayProve(request, namespace, key + 2, load<u16>(key), known ? stored : -1)) return L.E_FORBIDDEN;
    if (known) stored++;
    key += 2 + <usize>load<u16>(key);
  }
  if (!State.closed) return L.E_BUNDLE_OPEN;
  OUT.text(single ? '{' : '{"proofs":[');
  key = payload + 8;
  for (let i: u32 = 0; i < count; i++) {
    if (i) OUT.u8(0x2c);
    if (!single) OUT.u8(0x7b);
    rawKey(namespace, key + 2, load<u16>(key), KEY);
    putProof();
    if (!single) OUT.u8(0x7d);
    key += 2 + <usize>load<u16>(key);
  }
  if (!single) OUT.u8(0x5d);
  hexField(',"state_hash":"', smtClosedRoot(), 32);
  numberField('","leaf_index":', State.closed - 1);
  OUT.u8(0x7d);
  return 0;
}

/** Members of the proof of KEY. */
function putProof(): void {
  const n = smtProve(KEY, SIBLINGS);
  const found = smtProofKey();
  const member = found != 0 && memory.compare(found, KEY, 21) == 0;
  hexField('"k":"', KEY, 21);
  if (member) {
    hexField('","v":"', smtProofValue(), 32);
    OUT.text('","s":[');
  } else {
    OUT.text('","v":null,"s":[');
  }
  for (let i = n; i > 0; i--) {
    hexField(i == n ? '"' : ',"', SIBLINGS + <usize>(i - 1) * 32, 32);
    OUT.u8(0x22);
  }
  if (found && !member) {
    hexField('],"o":{"k":"', found, 21);
    hexField('","v":"', smtProofValue(), 32);
    OUT.text('"}');
  } else {
    OUT.text('],"o":null');
  }
}

/** Proofs follow reading (PROTOCOL §5), by what the reader holds now. `stored`: answer with the event of a status key. */
function mayProve(request: usize, namespace: u32, key: usize, length: usize, stored: i32): bool {
  const reader = request + L.Q_FROM;
  if (namespace == NAMESPACE_RBAC) return same32(key, reader) || mayReadType(L.T_MOVE);
  if (namespace == NAMESPACE_STATUS) {
    return stored < 0 || !answerLen(stored) ? mayReadAnything() : mayReadStored(stored);
  }
  switch (kvKind(key, length)) {
    case KV_STATUS:
      return true;
    case KV_GATE:
      return mayReadType(L.T_GATE);
    case KV_SHARED:
      return mayReadSlot(L.T_SHARED, kvName, kvNameLen, false);
    case KV_OWN:
      return mayReadSlot(L.T_OWN, kvName, kvNameLen, same32(kvFrom, reader));
    default:
      return false;
  }
}
