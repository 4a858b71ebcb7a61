/** The filter of a Query or Pull as the payload of an IR (kernel/kernel.ts, PROTOCOL §9). */
import { hexNode, isType } from './inspect-commit';
import { ARRAY, count, FALSE, first, INT, intValue, kind, next, OBJECT, STRING, strLen, strPtr, TRUE } from './json';
import { Buf, isText } from './memory';

const HAS_ID: u32 = 1;
const HAS_SEQ: u32 = 2;
const HAS_TYPE: u32 = 4;
const HAS_FROM: u32 = 8;
const HAS_TIME: u32 = 16;
const HAS_TAGS: u32 = 32;
const HAS_LANE: u32 = 64;

const HEAD: usize = 72;
const MAX_INT: i64 = 9007199254740991;
const MAX_VALUES: u32 = 100;
const MAX_LIMIT: i64 = 1000;
const DEFAULT_LIMIT: u32 = 100;
const MAX_TAG_BYTES: usize = 256;
const ANY_VALUE: u32 = 0xffff;

/** Fixed part with nothing asked for; returns its address, valid until `out` grows. */
function putHead(out: Buf): usize {
  const p = out.reserve(HEAD);
  memory.fill(p, 0, HEAD);
  out.len += HEAD;
  store<u32>(p, DEFAULT_LIMIT);
  store<i64>(p, -MAX_INT, 40);
  store<i64>(p, MAX_INT, 48);
  store<i64>(p, -MAX_INT, 56);
  store<i64>(p, MAX_INT, 64);
  return p;
}

/** Pull: everything behind a seq. A node of 0 is a parameter that was not sent. */
export function putPullFilter(out: Buf, afterSeq: usize, limit: usize): bool {
  const p = putHead(out);
  store<u8>(p, HAS_SEQ, 5);
  store<i64>(p, 0, 40);
  if (afterSeq) {
    if (kind(afterSeq) != INT || intValue(afterSeq) < -1) return false;
    store<i64>(p, intValue(afterSeq) + 1, 40);
  }
  return !limit || putLimit(p, limit);
}

function putLimit(head: usize, v: usize): bool {
  if (kind(v) != INT || intValue(v) < 1 || intValue(v) > MAX_LIMIT) return false;
  store<u32>(head, <u32>intValue(v));
  return true;
}

/** The filter at `node`; false if it is not one. */
export function putFilter(out: Buf, node: usize): bool {
  if (kind(node) != OBJECT) return false;
  const head = putHead(out) - out.ptr;
  const p = out.ptr + head;
  let present: u32 = 0;
  let ids: usize = 0;
  let froms: usize = 0;
  let seqs: usize = 0;
  let times: usize = 0;
  let types: usize = 0;
  let tags: usize = 0;
  let key = first(node);
  for (let i = count(node); i; i--) {
    const k = strPtr(key);
    const len = strLen(key);
    const v = next(key);
    if (isText(k, len, 'id')) {
      ids = v;
      present |= HAS_ID;
    } else if (isText(k, len, 'seq')) {
      seqs = v;
      present |= HAS_SEQ;
    } else if (isText(k, len, 'type')) {
      types = v;
      present |= HAS_TYPE;
    } else if (isText(k, len, 'from')) {
      froms = v;
      present |= HAS_FROM;
    } else if (isText(k, len, 'timestamp')) {
      times = v;
      present |= HAS_TIME;
    } else if (isText(k, len, 'tags')) {
      tags = v;
      present |= HAS_TAGS;
    } else if (isText(k, len, 'lane')) {
      if (kind(v) != INT || <u64>intValue(v) > 0xffffffff) return false;
      store<u32>(p, <u32>intValue(v), 8);
      present |= HAS_LANE;
    } else if (isText(k, len, 'limit')) {
      if (!putLimit(p, v)) return false;
    } else if (isText(k, len, 'reverse')) {
      if (kind(v) != TRUE && kind(v) != FALSE) return false;
      store<u8>(p, kind(v) == TRUE, 4);
    } else return false;
    key = next(v);
  }
  store<u8>(p, present, 5);
  if (ids && !putIds(out, head + 12, ids)) return false;
  if (froms && !putIds(out, head + 20, froms)) return false;
  if (seqs && !putNumbers(out, head + 24, head + 40, seqs)) return false;
  if (times && !putNumbers(out, head + 28, head + 56, times)) return false;
  if (types && !putTypes(out, head + 16, types)) return false;
  return !tags || putTags(out, head + 32, tags);
}

/** Items of a list, or 1 for a single value; 0 if there are none or too many. */
function listCount(v: usize): u32 {
  if (kind(v) != ARRAY) return 1;
  return count(v) > MAX_VALUES ? 0 : count(v);
}

// @ts-ignore: decorator
@inline
function listFirst(v: usize): usize {
  return kind(v) == ARRAY ? first(v) : v;
}

function putIds(out: Buf, countAt: usize, v: usize): bool {
  const n = listCount(v);
  if (!n) return false;
  let e = listFirst(v);
  for (let i = n; i; i--) {
    if (!hexNode(e, 32, out.reserve(32))) return false;
    out.len += 32;
    e = next(e);
  }
  store<u32>(out.ptr + countAt, n);
  return true;
}

/** Values ≥ 0, or a range of any integers. */
function putNumbers(out: Buf, countAt: usize, rangeAt: usize, v: usize): bool {
  if (kind(v) == OBJECT) return putRange(out.ptr + rangeAt, v);
  const n = listCount(v);
  if (!n) return false;
  let e = listFirst(v);
  for (let i = n; i; i--) {
    if (kind(e) != INT || intValue(e) < 0) return false;
    out.u64(intValue(e));
    e = next(e);
  }
  store<u32>(out.ptr + countAt, n);
  return true;
}

/** {start_at | start_after, end_at | end_before}: each half may be missing, neither may be there twice. */
function putRange(at: usize, v: usize): bool {
  let starts: u32 = 0;
  let ends: u32 = 0;
  let key = first(v);
  for (let i = count(v); i; i--) {
    const k = strPtr(key);
    const len = strLen(key);
    const e = next(key);
    if (kind(e) != INT) return false;
    const n = intValue(e);
    if (isText(k, len, 'start_at')) {
      store<i64>(at, n);
      starts++;
    } else if (isText(k, len, 'start_after')) {
      store<i64>(at, n + 1);
      starts++;
    } else if (isText(k, len, 'end_at')) {
      store<i64>(at, n, 8);
      ends++;
    } else if (isText(k, len, 'end_before')) {
      store<i64>(at, n - 1, 8);
      ends++;
    } else return false;
    key = next(e);
  }
  return starts < 2 && ends < 2;
}

function putTypes(out: Buf, countAt: usize, v: usize): bool {
  const n = listCount(v);
  if (!n) return false;
  let e = listFirst(v);
  for (let i = n; i; i--) {
    if (kind(e) != STRING || !isType(strPtr(e), strLen(e))) return false;
    putShort(out, e);
    e = next(e);
  }
  store<u32>(out.ptr + countAt, n);
  return true;
}

function putShort(out: Buf, e: usize): void {
  const n = strLen(e);
  const p = out.reserve(2 + n);
  store<u16>(p, <u16>n);
  memory.copy(p + 2, strPtr(e), n);
  out.len += 2 + n;
}

/** {name: value | [values] | true}. */
function putTags(out: Buf, countAt: usize, v: usize): bool {
  if (kind(v) != OBJECT || count(v) > MAX_VALUES) return false;
  let key = first(v);
  for (let i = count(v); i; i--) {
    if (strLen(key) > MAX_TAG_BYTES) return false;
    const wanted = next(key);
    const any = kind(wanted) == TRUE;
    let n = any ? 0 : listCount(wanted);
    if (!any && !n) return false;
    const name = strLen(key);
    const p = out.reserve(4 + name);
    store<u16>(p, <u16>name);
    store<u16>(p, <u16>(any ? ANY_VALUE : n), 2);
    memory.copy(p + 4, strPtr(key), name);
    out.len += 4 + name;
    let e = listFirst(wanted);
    for (; n; n--) {
      if (kind(e) != STRING || strLen(e) > MAX_TAG_BYTES) return false;
      putShort(out, e);
      e = next(e);
    }
    key = next(wanted);
  }
  store<u32>(out.ptr + countAt, count(v));
  return true;
}
