/** Requests as IRs (kernel/kernel.ts, PROTOCOL §9). */
import { hexDecode } from './hex';
import { areTags, hexNode, keySeed, PRE } from './inspect-commit';
import { putFilter, putPullFilter } from './inspect-filter';
import { ARRAY, count, first, INT, intValue, isString, kind, next, STRING, strLen, strPtr } from './json';
import * as L from './layout';
import { Buf, copy32, isText, same32 } from './memory';

const QUERY: u32 = 1;
const PULL: u32 = 2;
const INFO: u32 = 3;
const SEQUENCER: u32 = 4;
const INCLUSION: u32 = 5;
const BUNDLE: u32 = 6;
const STATE: u32 = 7;
const STATE_BATCH: u32 = 8;

const SESSION_BYTES: usize = 68;
const MAX_KEYS: u32 = 256;
const KV: u32 = 2;
const MAX_RAW_KEY: usize = 1024;

// The fields of all requests: bit and, in `VALUES`, place of each.
const TYPE: u32 = 0;
const ENCLAVE: u32 = 1;
const FROM: u32 = 2;
const SESSION: u32 = 3;
const FILTER: u32 = 4;
const AFTER_SEQ: u32 = 5;
const LIMIT: u32 = 6;
const CONTENT: u32 = 7;
const TAGS: u32 = 8;
const SEQ: u32 = 9;
const ID: u32 = 10;
const LEAF_INDEX: u32 = 11;
const TS: u32 = 12;
const NAMESPACE: u32 = 13;
const KEY: u32 = 14;
const KEYS: u32 = 15;
const UNKNOWN: u32 = 16;

// @ts-ignore: decorator
@lazy
const VALUES: usize = memory.data(4 * 17, 8);

// @ts-ignore: decorator
@inline
function value(name: u32): usize {
  return load<u32>(VALUES + (<usize>name << 2));
}

/** Calls by path may name themselves in `type` too; it has no effect there. */
const ENVELOPE: u32 = (1 << TYPE) | (1 << ENCLAVE) | (1 << FROM) | (1 << SESSION);

/** The fields that a request may have. */
function fieldsOf(request: u32): u32 {
  switch (request) {
    case QUERY:
      return ENVELOPE | (1 << FILTER);
    case PULL:
      return ENVELOPE | (1 << AFTER_SEQ) | (1 << LIMIT);
    case INFO:
      return (1 << TYPE) | (1 << ENCLAVE);
    case SEQUENCER:
      return (1 << TYPE) | (1 << FROM) | (1 << CONTENT) | (1 << TAGS);
    case INCLUSION:
      return ENVELOPE | (1 << SEQ) | (1 << ID) | (1 << LEAF_INDEX) | (1 << TS);
    case BUNDLE:
      return ENVELOPE | (1 << SEQ) | (1 << ID);
    case STATE:
      return ENVELOPE | (1 << NAMESPACE) | (1 << KEY);
    default:
      return ENVELOPE | (1 << NAMESPACE) | (1 << KEYS);
  }
}

function nameOf(p: usize, len: usize): u32 {
  switch (len) {
    case 2:
      if (isText(p, len, 'id')) return ID;
      return isText(p, len, 'ts') ? TS : UNKNOWN;
    case 3:
      if (isText(p, len, 'seq')) return SEQ;
      return isText(p, len, 'key') ? KEY : UNKNOWN;
    case 4:
      if (isText(p, len, 'type')) return TYPE;
      if (isText(p, len, 'from')) return FROM;
      if (isText(p, len, 'tags')) return TAGS;
      return isText(p, len, 'keys') ? KEYS : UNKNOWN;
    case 5:
      return isText(p, len, 'limit') ? LIMIT : UNKNOWN;
    case 6:
      return isText(p, len, 'filter') ? FILTER : UNKNOWN;
    case 7:
      if (isText(p, len, 'enclave')) return ENCLAVE;
      if (isText(p, len, 'session')) return SESSION;
      return isText(p, len, 'content') ? CONTENT : UNKNOWN;
    case 9:
      if (isText(p, len, 'after_seq')) return AFTER_SEQ;
      return isText(p, len, 'namespace') ? NAMESPACE : UNKNOWN;
    case 10:
      return isText(p, len, 'leaf_index') ? LEAF_INDEX : UNKNOWN;
  }
  return UNKNOWN;
}

/** The request that the field `type` of a `POST /` names, or 0. */
export function requestOfType(type: usize): u32 {
  if (!type) return 0;
  if (isString(type, 'Query')) return QUERY;
  if (isString(type, 'Pull')) return PULL;
  if (isString(type, 'Info')) return INFO;
  return isString(type, 'Sequencer') ? SEQUENCER : 0;
}

/** The request of an `inspect` mode 2 … 5. */
export function requestOfMode(mode: u32): u32 {
  return INCLUSION + mode - 2;
}

/** Appends the IR of the request at `node` (an object of `length` bytes). An error is an IR of 16 bytes. */
export function putRequest(out: Buf, node: usize, request: u32, length: usize, enclave: usize): void {
  const ir = out.reserve(L.Q_PAYLOAD + 1024);
  memory.fill(ir, 0, L.Q_PAYLOAD);
  out.len += L.Q_PAYLOAD;
  store<u8>(ir, request, L.Q_KIND);
  let code = putEnvelope(ir, node, request, enclave);
  if (!code) code = putPayload(out, request, length);
  if (code) {
    out.clear();
    store<u64>(out.ptr, 16);
    store<u64>(out.ptr, 0, 8);
    store<u16>(out.ptr, code, L.Q_ERROR);
    store<u8>(out.ptr, request, L.Q_KIND);
    out.len = 16;
    return;
  }
  out.pad8();
  store<u32>(out.ptr, <u32>out.len);
}

/** Nothing unknown, then enclave and from, then the session. */
function putEnvelope(ir: usize, node: usize, request: u32, enclave: usize): u32 {
  memory.fill(VALUES, 0, 4 * 17);
  const allowed = fieldsOf(request);
  let key = first(node);
  for (let i = count(node); i; i--) {
    const name = nameOf(strPtr(key), strLen(key));
    if (!((allowed >> name) & 1)) return L.E_INVALID_COMMIT;
    const v = next(key);
    store<u32>(VALUES + (<usize>name << 2), <u32>v);
    key = next(v);
  }
  if ((allowed >> ENCLAVE) & 1) {
    const v = value(ENCLAVE);
    if (v) {
      if (!hexNode(v, 32, ir + L.Q_ENCLAVE)) return L.E_INVALID_COMMIT;
      if (enclave && !same32(enclave, ir + L.Q_ENCLAVE)) return L.E_INVALID_COMMIT;
    } else if (enclave) copy32(ir + L.Q_ENCLAVE, enclave);
    else return L.E_INVALID_COMMIT;
  }
  if ((allowed >> FROM) & 1) {
    const v = value(FROM);
    if (!v || !hexNode(v, 32, ir + L.Q_FROM)) return L.E_INVALID_COMMIT;
  }
  if ((allowed >> SESSION) & 1) {
    const v = value(SESSION);
    if (!v || !hexNode(v, SESSION_BYTES, ir + L.Q_SESSION)) return L.E_INVALID_SESSION;
  }
  return 0;
}

/** The parameters. `out` ends behind the envelope. */
function putPayload(out: Buf, request: u32, length: usize): u32 {
  switch (request) {
    case QUERY:
      return value(FILTER) && putFilter(out, value(FILTER)) ? 0 : L.E_INVALID_FILTER;
    case PULL:
      return putPullFilter(out, value(AFTER_SEQ), value(LIMIT)) ? 0 : L.E_INVALID_FILTER;
    case INFO:
      return 0;
    case SEQUENCER:
      return putSequencer(out, length);
    case INCLUSION:
    case BUNDLE:
      return putPlace(out) ? 0 : L.E_INVALID_FILTER;
    default:
      return putState(out, request == STATE_BATCH) ? 0 : L.E_INVALID_FILTER;
  }
}

function putSequencer(out: Buf, length: usize): u32 {
  const content = value(CONTENT);
  const tags = value(TAGS);
  if (!content || (tags && !areTags(tags))) return L.E_INVALID_COMMIT;
  PRE.clear();
  PRE.reserve(length * 2 + 512);
  keySeed(out.ptr + L.Q_FROM, content, tags, out.reserve(32));
  out.len += 32;
  return 0;
}

/** Exactly one of seq, id, leaf_index; perhaps ts. */
function putPlace(out: Buf): bool {
  const seq = value(SEQ);
  const id = value(ID);
  const leaf = value(LEAF_INDEX);
  const ts = value(TS);
  if (<i32>(seq != 0) + <i32>(id != 0) + <i32>(leaf != 0) != 1) return false;
  const p = out.reserve(56);
  memory.fill(p, 0, 56);
  out.len += 56;
  if (id) {
    store<u8>(p, 1);
    if (!hexNode(id, 32, p + 24)) return false;
  } else {
    const n = seq ? seq : leaf;
    if (!isIndex(n)) return false;
    store<u8>(p, seq ? 0 : 2);
    store<i64>(p, intValue(n), 8);
  }
  if (ts) {
    if (!isIndex(ts)) return false;
    store<u8>(p, 1, 1);
    store<i64>(p, intValue(ts), 16);
  }
  return true;
}

// @ts-ignore: decorator
@inline
function isIndex(node: usize): bool {
  return kind(node) == INT && intValue(node) >= 0;
}

/** The namespace and one raw key or, in a batch, up to 256. */
function putState(out: Buf, batch: bool): bool {
  const namespace = value(NAMESPACE);
  if (!namespace) return false;
  let number: u32 = 0;
  if (isString(namespace, 'event_status')) number = 1;
  else if (isString(namespace, 'kv')) number = KV;
  else if (!isString(namespace, 'rbac')) return false;
  let key = value(batch ? KEYS : KEY);
  if (!key) return false;
  let n: u32 = 1;
  if (batch) {
    if (kind(key) != ARRAY) return false;
    n = count(key);
    if (n > MAX_KEYS) return false;
    key = first(key);
  }
  out.u32(number);
  out.u32(n);
  for (; n; n--) {
    if (kind(key) != STRING || !putKey(out, number, strPtr(key), strLen(key))) return false;
    key = next(key);
  }
  return true;
}

/** 32 bytes, or of the KV namespace any few: `kvKind` says later which key that is. */
function putKey(out: Buf, namespace: u32, hex: usize, digits: usize): bool {
  const len = digits >> 1;
  if (digits & 1 || (namespace == KV ? len > MAX_RAW_KEY : len != 32)) return false;
  const p = out.reserve(2 + len);
  store<u16>(p, <u16>len);
  out.len += 2 + len;
  return hexDecode(hex, len, p + 2);
}
