import { bundleNode, ctSize } from './ct';
import { planConsistency, planElement, planInclusion, planIndex, planLevel, planNodes } from './ct-plan';
import { findReleased, META, META_SEQ } from './event-meta';
import { OUT } from './input';
import * as L from './layout';
import { alloc, copy32, release } from './memory';
import { hexField, numberField } from './read-json';
import {
  answerLen, answerPtr, ask, NEED, need, NEED_CLOSING, NEED_CLOSING_OF, NEED_EVENT, NEED_IDS, NEED_NODE, WRONG_CALL,
} from './read-needs';
import { mayReadAnything, mayReadRecord, readsEverything } from './read-rules';
import { Sealed } from './sealed';

/** Proofs of the log (PROTOCOL §7, §9): consistency, inclusion of a bundle, an event's place in its bundle. */
const BY_ID: u32 = 1;
const BY_LEAF: u32 = 2;

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
export function consistency(payload: usize): i32 {
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
export function mayReadStored(i: u32): bool {
  const record = answerPtr(i);
  const length = <usize>load<u32>(record);
  if (length < L.R_TEXT || length > answerLen(i)) return false;
  return mayReadRecord(record, record + length, answerLen(i) - length);
}

export function inclusion(payload: usize): i32 {
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

export function bundle(payload: usize): i32 {
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
