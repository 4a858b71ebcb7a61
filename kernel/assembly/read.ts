import { bundleNode, ctSize } from './ct';
import { planConsistency, planElement, planInclusion, planIndex, planLevel, planNodes } from './ct-plan';
import { DETAIL } from './apply';
import { findReleased, META, META_SEQ } from './event-meta';
import { hexEncode } from './hex';
import { freshOutput, IN, OUT } from './input';
import { rawKey, NAMESPACE_KV, NAMESPACE_RBAC, NAMESPACE_STATUS } from './keys';
import { KV_GATE, KV_OWN, KV_SHARED, KV_STATUS, kvFrom, kvKind, kvName, kvNameLen, NOT_KV } from './kv-key';
import * as L from './layout';
import { Rules } from './manifest';
import { alloc, Buf, copy32, putDecimal, release, same32 } from './memory';
import { mayReadAnything, mayReadRecord, mayReadSlot, mayReadType, readsEverything, setReader } from './read-rules';
import { HEAD_ROOT, HEAD_SEQUENCER, HEAD_SIG, MANIFEST_ID, Sealed } from './sealed';
import { sessionError } from './session';
import { smtClosedRoot, smtProofKey, smtProofValue, smtProve } from './smt';
import { ENCLAVE, PAUSED, SEQUENCER, State, TERMINATED, ACTIVE } from './state';

/**
 * Info, tree heads and proofs (PROTOCOL §9). What lies in the log is asked for by needs: a read runs from its start on
 * every call, takes answers in the order of its questions, and where they end returns the questions that it has then.
 */
const INFO: u32 = 3;
const INCLUSION: u32 = 5;
const BUNDLE: u32 = 6;
const STATE: u32 = 7;
const STATE_BATCH: u32 = 8;
const CONSISTENCY: u32 = 9;
const STH: u32 = 10;

const BY_ID: u32 = 1;
const BY_LEAF: u32 = 2;

const NEED: i32 = -1;
const WRONG_CALL: i32 = -2;

const NEED_NODE: u32 = 1;
const NEED_CLOSING: u32 = 2;
const NEED_IDS: u32 = 3;
const NEED_EVENT: u32 = 4;
const NEED_CLOSING_OF: u32 = 5;

// ---- questions and answers

/** Where each answer begins (its length, then its bytes at + 8), u32 each. */
const ANSWERS = changetype<Buf>(memory.data(12, 8));
/** Questions of this run: u32 kind, u32 zero, u64 a, u64 b each. */
const NEEDS = changetype<Buf>(memory.data(12, 8));
let taken: u32 = 0;

function need(kind: u32, a: u64, b: u64): void {
  NEEDS.u32(kind);
  NEEDS.u32(0);
  NEEDS.u64(a);
  NEEDS.u64(b);
}

/** Takes the answers to what was asked since the last call: index of the first, −1 if they are not there. */
function ask(): i32 {
  const n = <u32>(NEEDS.len / 24);
  if (taken + n > <u32>(ANSWERS.len / 4)) return -1;
  NEEDS.clear();
  taken += n;
  return taken - n;
}

function answerPtr(i: u32): usize {
  return <usize>load<u32>(ANSWERS.ptr + (<usize>i << 2)) + 8;
}

function answerLen(i: u32): usize {
  return load<u32>(<usize>load<u32>(ANSWERS.ptr + (<usize>i << 2)));
}

/** Request and answers are in the input. 0: the output is the JSON; NEED: it is the needs; else an error number. */
export function read(requestLength: u32, now: f64, answers: u32): i32 {
  DETAIL.clear();
  ANSWERS.clear();
  NEEDS.clear();
  taken = 0;
  let at = IN.ptr + requestLength;
  for (let i: u32 = 0; i < answers; i++) {
    ANSWERS.u32(<u32>at);
    at += 8 + ((<usize>load<u32>(at) + 7) & ~7);
  }
  freshOutput();
  const result = answer(IN.ptr, now);
  if (result == NEED) {
    OUT.clear();
    OUT.bytes(NEEDS.ptr, NEEDS.len);
  }
  ANSWERS.trim(4096);
  NEEDS.trim(8192);
  return result;
}

function answer(request: usize, now: f64): i32 {
  if (Sealed.seq < 0) return L.E_ENCLAVE_NOT_FOUND;
  const kind = <u32>load<u8>(request, L.Q_KIND);
  if (kind == INFO) return info();
  if (kind == STH) return treeHead();
  if (kind == CONSISTENCY) return consistency(request + L.Q_PAYLOAD);
  const session = sessionError(request, now);
  if (session) return session;
  setReader(request + L.Q_FROM, false);
  if (kind == INCLUSION) return inclusion(request + L.Q_PAYLOAD);
  if (kind == BUNDLE) return bundle(request + L.Q_PAYLOAD);
  return kind == STATE || kind == STATE_BATCH ? stateProofs(request, kind == STATE) : WRONG_CALL;
}

// ---- JSON

function hex(bytes: usize, n: usize): void {
  OUT.end(hexEncode(bytes, n, OUT.reserve(n * 2 + 32)));
}

function hexField(name: string, bytes: usize, n: usize): void {
  OUT.text(name);
  hex(bytes, n);
}

function numberField(name: string, n: i64): void {
  OUT.text(name);
  OUT.end(putDecimal(OUT.reserve(24), n));
}

function info(): i32 {
  hexField('{"type":"Info","enclave":"', ENCLAVE, 32);
  hexField('","sequencer":"', SEQUENCER, 32);
  numberField('","head":', State.seq);
  numberField(',"timestamp":', State.timestamp);
  OUT.text(',"status":"');
  const status = State.status;
  OUT.text(status == ACTIVE ? 'active' : status == PAUSED ? 'paused' : status == TERMINATED ? 'terminated' : 'migrated');
  numberField('","bundle":{"size":', Rules.size);
  numberField(',"timeout":', Rules.timeout);
  hexField('},"lanes":0,"manifest":"', MANIFEST_ID, 32);
  OUT.text('"}');
  return 0;
}

function treeHead(): i32 {
  hexField('{"enclave":"', ENCLAVE, 32);
  numberField('","t":', Sealed.headTime);
  numberField(',"ts":', ctSize);
  hexField(',"r":"', HEAD_ROOT, 32);
  hexField('","sequencer":"', HEAD_SEQUENCER, 32);
  hexField('","sig":"', HEAD_SIG, 64);
  OUT.text('"}');
  return 0;
}

// ---- proofs of the CT log

let firstNode: u32 = 0;

function nodeAnswer(node: u32): usize {
  return answerPtr(firstNode + node);
}

const ELEMENT: usize = memory.data(32, 16);

/** Asks for the nodes of the plan: 0 when they are there. */
function askPlan(): i32 {
  for (let i: u32 = 0; i < planNodes(); i++) need(NEED_NODE, planLevel(i), planIndex(i));
  const at = ask();
  if (at < 0) return NEED;
  firstNode = at;
  for (let i: u32 = 0; i < planNodes(); i++) if (answerLen(at + i) != 32) return WRONG_CALL;
  return 0;
}

function putPath(elements: u32): void {
  OUT.u8(0x5b);
  for (let i: u32 = 0; i < elements; i++) {
    planElement(i, nodeAnswer, ELEMENT);
    hexField(i ? ',"' : '"', ELEMENT, 32);
    OUT.u8(0x22);
  }
  OUT.u8(0x5d);
}

/** Payload: i64 from, i64 to; −1 is absent: the empty tree, the latest head. */
function consistency(payload: usize): i32 {
  const from = max<i64>(load<i64>(payload), 0);
  const to = load<i64>(payload, 8) < 0 ? <i64>ctSize : load<i64>(payload, 8);
  if (from > to) return L.E_INVALID_FILTER;
  if (<u64>to > ctSize) return L.E_BUNDLE_OPEN;
  const elements = planConsistency(from, to);
  const missing = askPlan();
  if (missing) return missing;
  numberField('{"ts1":', from);
  numberField(',"ts2":', to);
  OUT.text(',"p":');
  putPath(elements);
  OUT.u8(0x7d);
  return 0;
}

/** Closing record that `findClosing` found, and the seq of its event. */
let closing: usize = 0;
let closingSeq: i64 = 0;

function takeClosing(kind: u32, a: u64): i32 {
  need(kind, a, 0);
  const at = ask();
  if (at < 0) return NEED;
  if (!answerLen(at)) return L.E_BUNDLE_OPEN;
  if (answerLen(at) < L.C_NODE_LIST) return WRONG_CALL;
  closing = answerPtr(at);
  return 0;
}

function closingByLeaf(index: u64): i32 {
  if (!mayReadAnything()) return L.E_FORBIDDEN;
  return index >= ctSize ? L.E_BUNDLE_OPEN : takeClosing(NEED_CLOSING, index);
}

/** The closed bundle of the event that a payload names, if the asker may read that event. */
function closingOfEvent(payload: usize): i32 {
  closingSeq = load<i64>(payload, 8);
  if (<u32>load<u8>(payload) == BY_ID) closingSeq = findReleased(payload + 24) ? load<i64>(META, META_SEQ) : -1;
  let stored = -1;
  if (closingSeq >= 0 && closingSeq <= Sealed.seq) {
    need(NEED_EVENT, closingSeq, 0);
    stored = ask();
    if (stored < 0) return NEED;
  }
  if (stored < 0 || !answerLen(stored)) return readsEverything() ? L.E_EVENT_NOT_FOUND : L.E_FORBIDDEN;
  if (!mayReadStored(stored)) return L.E_FORBIDDEN;
  return takeClosing(NEED_CLOSING_OF, closingSeq);
}

/** The answer is the event's record, and behind it its content. */
function mayReadStored(i: u32): bool {
  const record = answerPtr(i);
  const length = <usize>load<u32>(record);
  if (length < L.R_TEXT || length > answerLen(i)) return false;
  return mayReadRecord(record, record + length, answerLen(i) - length);
}

function inclusion(payload: usize): i32 {
  const leaf = <u32>load<u8>(payload) == BY_LEAF;
  const missing = leaf ? closingByLeaf(load<u64>(payload, 8)) : closingOfEvent(payload);
  if (missing) return missing;
  const ts = load<u8>(payload, 1) == 1 ? load<u64>(payload, 16) : ctSize;
  const index = load<u64>(closing, L.C_INDEX);
  if (ts > ctSize) return L.E_BUNDLE_OPEN;
  if (ts <= index) return L.E_INVALID_FILTER;
  const elements = planInclusion(index, ts);
  const nodes = askPlan();
  if (nodes) return nodes;
  numberField('{"ts":', ts);
  numberField(',"li":', index);
  OUT.text(',"p":');
  putPath(elements);
  hexField(',"events_root":"', closing + L.C_EVENTS_ROOT, 32);
  hexField('","state_hash":"', closing + L.C_STATE_HASH, 32);
  numberField('","first_seq":', load<i64>(closing, L.C_FIRST));
  numberField(',"bundle_size":', load<u32>(closing, L.C_SIZE));
  OUT.u8(0x7d);
  return 0;
}

function bundle(payload: usize): i32 {
  const missing = closingOfEvent(payload);
  if (missing) return missing;
  const size = load<u32>(closing, L.C_SIZE);
  const first = load<i64>(closing, L.C_FIRST);
  need(NEED_IDS, first, size);
  const at = ask();
  if (at < 0) return NEED;
  const index = <u32>(closingSeq - first);
  const ids = answerPtr(at);
  if (answerLen(at) != <usize>size * 32 || index >= size) return WRONG_CALL;
  hexField('{"event_id":"', ids + <usize>index * 32, 32);
  numberField('","bundle_index":', index);
  numberField(',"bundle_size":', size);
  OUT.text(',"siblings":[');
  putBundlePath(ids, size, index);
  numberField('],"leaf_index":', load<i64>(closing, L.C_INDEX));
  OUT.u8(0x7d);
  return 0;
}

/** Siblings of leaf `index`, leaf to root; a carried node contributes none. The levels are built over a copy. */
function putBundlePath(ids: usize, size: u32, index: u32): void {
  const level = alloc(<usize>size * 32);
  memory.copy(level, ids, <usize>size * 32);
  let some = false;
  for (let width = size; width > 1; width = (width + 1) >> 1) {
    const sibling = index ^ 1;
    if (sibling < width) {
      hexField(some ? ',"' : '"', level + <usize>sibling * 32, 32);
      OUT.u8(0x22);
      some = true;
    }
    for (let i: u32 = 0; i < width; i += 2) {
      const to = level + <usize>(i >> 1) * 32;
      const left = level + <usize>i * 32;
      if (i + 1 < width) bundleNode(left, left + 32, to);
      else copy32(to, left);
    }
    index >>= 1;
  }
  release(level);
}

// ---- proofs of state

/** KEY_BITS siblings */
const SIBLINGS: usize = memory.data(168 * 32, 16);
const KEY: usize = memory.data(40, 8);

function wellFormed(namespace: u32, key: usize, length: usize): bool {
  return namespace == NAMESPACE_KV ? kvKind(key, length) != NOT_KV : length == 32;
}

function stateProofs(request: usize, single: bool): i32 {
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
