import { concat, pad8, viewOf } from './bytes.ts';
import type { ErrorCode } from './errors.ts';
import { decodeFilter, encodeFilter, type Filter, parseFilter, pullFilter } from './filter.ts';
import { keySeed } from './hash.ts';
import { type EnclaveId, fromHex, isHex32, unhex } from './hex.ts';
import { isArray, type Json, type JsonObject } from './json.ts';
import {
  REQUEST_BUNDLE,
  REQUEST_INCLUSION,
  REQUEST_INFO,
  REQUEST_PULL,
  REQUEST_QUERY,
  REQUEST_SEQUENCER,
  REQUEST_STATE,
  REQUEST_STATE_BATCH,
} from './layout.ts';
import { MAX_RAW_KEY_BYTES, MAX_STATE_KEYS } from './limits.ts';
import { getU64, setU64 } from './records.ts';
import { parseSession, SESSION_BYTES } from './session.ts';
import { hasOnly, isInteger, isTags } from './shape.ts';
import { NAMESPACE_KV, NAMESPACES, type Namespace } from './smt-keys.ts';

/** A call that is no commit (PROTOCOL §9), as it travels into a kernel: the IR of kernel/kernel.ts. */
export type RequestParams =
  | { readonly kind: typeof REQUEST_QUERY | typeof REQUEST_PULL; readonly filter: Filter }
  | { readonly kind: typeof REQUEST_INFO }
  | { readonly kind: typeof REQUEST_SEQUENCER; readonly seed: Uint8Array }
  | {
      readonly kind: typeof REQUEST_INCLUSION | typeof REQUEST_BUNDLE;
      readonly by: ProofSubject;
      readonly ts: number | null;
    }
  | {
      readonly kind: typeof REQUEST_STATE | typeof REQUEST_STATE_BATCH;
      readonly namespace: Namespace;
      readonly keys: readonly Uint8Array[];
    };

/** What a proof is asked for: the event at a seq or with an id, or the bundle at a leaf index. */
export type ProofSubject =
  | { readonly by: 'seq' | 'leaf_index'; readonly n: number }
  | { readonly by: 'id'; readonly id: Uint8Array };

export type Request = RequestParams & {
  /** zero for Sequencer */
  readonly enclave: Uint8Array;
  /** zero for Info */
  readonly from: Uint8Array;
  /** 68 bytes, zero where no session is asked for */
  readonly session: Uint8Array;
};

export type RequestKind = RequestParams['kind'];

/** Kinds of `POST /` by the name in `type`. */
export const POST_REQUESTS: ReadonlyMap<string, RequestKind> = new Map<string, RequestKind>([
  ['Query', REQUEST_QUERY],
  ['Pull', REQUEST_PULL],
  ['Info', REQUEST_INFO],
  ['Sequencer', REQUEST_SEQUENCER],
]);

/** Calls by path may name themselves in `type` too; it has no effect there. */
const SESSION_KEYS = ['type', 'enclave', 'from', 'session'];
const KEYS: Readonly<Record<RequestKind, ReadonlySet<string>>> = {
  [REQUEST_QUERY]: new Set([...SESSION_KEYS, 'filter']),
  [REQUEST_PULL]: new Set([...SESSION_KEYS, 'after_seq', 'limit']),
  [REQUEST_INFO]: new Set(['type', 'enclave']),
  [REQUEST_SEQUENCER]: new Set(['type', 'from', 'content', 'tags']),
  [REQUEST_INCLUSION]: new Set([...SESSION_KEYS, 'seq', 'id', 'leaf_index', 'ts']),
  [REQUEST_BUNDLE]: new Set([...SESSION_KEYS, 'seq', 'id']),
  [REQUEST_STATE]: new Set([...SESSION_KEYS, 'namespace', 'key']),
  [REQUEST_STATE_BATCH]: new Set([...SESSION_KEYS, 'namespace', 'keys']),
};
const ZERO_SESSION = new Uint8Array(SESSION_BYTES);
const ZERO32 = new Uint8Array(32);

/**
 * The request in a JSON object, or its error. Order: envelope fields, all of them (`invalid_commit`), the session's
 * shape (`invalid_session`), parameters (`invalid_filter`). `pathEnclave`: as in Inspector.inspect.
 */
export function parseRequest(kind: RequestKind, body: JsonObject, pathEnclave?: EnclaveId): Request | ErrorCode {
  if (!hasOnly(body, KEYS[kind])) return 'invalid_commit';
  if (kind === REQUEST_SEQUENCER) return parseSequencer(body);
  const enclave = body.has('enclave') ? body.get('enclave') : pathEnclave;
  if (!isHex32(enclave) || (pathEnclave !== undefined && enclave !== pathEnclave)) return 'invalid_commit';
  if (kind === REQUEST_INFO) return { kind, enclave: unhex(enclave), from: ZERO32, session: ZERO_SESSION };
  const from = body.get('from');
  if (!isHex32(from)) return 'invalid_commit';
  const session = parseSession(body.get('session'));
  if (session === null) return 'invalid_session';
  const params = parseParams(kind, body);
  return params === null ? 'invalid_filter' : { ...params, enclave: unhex(enclave), from: unhex(from), session };
}

function parseSequencer(body: JsonObject): Request | ErrorCode {
  const from = body.get('from');
  const content = body.get('content');
  const tags = body.has('tags') ? body.get('tags') : [];
  if (!isHex32(from) || content === undefined || !isTags(tags)) return 'invalid_commit';
  const author = unhex(from);
  return {
    kind: REQUEST_SEQUENCER,
    seed: keySeed(author, content, tags),
    enclave: ZERO32,
    from: author,
    session: ZERO_SESSION,
  };
}

function parseParams(
  kind: Exclude<RequestKind, typeof REQUEST_INFO | typeof REQUEST_SEQUENCER>,
  body: JsonObject,
): RequestParams | null {
  switch (kind) {
    case REQUEST_QUERY: {
      const filter = parseFilter(body.get('filter'));
      return filter === null ? null : { kind, filter };
    }
    case REQUEST_PULL: {
      const filter = pullFilter(body.get('after_seq'), body.get('limit'));
      return filter === null ? null : { kind, filter };
    }
    case REQUEST_INCLUSION:
    case REQUEST_BUNDLE: {
      const by = parseSubject(body);
      const ts = body.get('ts');
      if (by === null || (ts !== undefined && !isInteger(ts))) return null;
      return { kind, by, ts: ts ?? null };
    }
    default:
      return parseStateKeys(kind, body);
  }
}

/** Exactly one of seq, id, leaf_index (which of them a call knows, its keys have said). */
function parseSubject(body: JsonObject): ProofSubject | null {
  const given = (['seq', 'id', 'leaf_index'] as const).filter((key) => body.has(key));
  const by = given[0];
  if (by === undefined || given.length > 1) return null;
  const value = body.get(by);
  if (by === 'id') return isHex32(value) ? { by, id: unhex(value) } : null;
  return isInteger(value) ? { by, n: value } : null;
}

/** Whether a kv key is one of the forms of PROTOCOL §6 is for the read that knows them (`decodeKvKey`). */
function parseStateKeys(
  kind: typeof REQUEST_STATE | typeof REQUEST_STATE_BATCH,
  body: JsonObject,
): RequestParams | null {
  const index = (NAMESPACES as readonly (Json | undefined)[]).indexOf(body.get('namespace'));
  if (index < 0) return null;
  const namespace = index as Namespace;
  const given = kind === REQUEST_STATE ? [body.get('key') ?? null] : body.get('keys');
  if (!isArray(given) || given.length > MAX_STATE_KEYS) return null;
  const keys: Uint8Array[] = [];
  for (const hex of given) {
    const raw = typeof hex === 'string' ? fromHex(hex) : null;
    if (raw === null || (namespace === NAMESPACE_KV ? raw.length > MAX_RAW_KEY_BYTES : raw.length !== 32)) return null;
    keys.push(raw);
  }
  return { kind, namespace, keys };
}

const HEAD = 144;
/** An IR with an error code is this short, like an IC. */
const ERROR_LENGTH = 16;

export function buildRequestError(kind: RequestKind, code: number): Uint8Array {
  const out = new Uint8Array(ERROR_LENGTH);
  const view = viewOf(out);
  view.setUint32(0, out.length, true);
  view.setUint16(4, code, true);
  out[6] = kind;
  return out;
}

export function buildRequest(request: Request): Uint8Array {
  const payload = buildPayload(request);
  const out = new Uint8Array(pad8(HEAD + payload.length));
  viewOf(out).setUint32(0, out.length, true);
  out[6] = request.kind;
  out.set(request.enclave, 8);
  out.set(request.from, 40);
  out.set(request.session, 72);
  out.set(payload, HEAD);
  return out;
}

function buildPayload(request: Request): Uint8Array {
  switch (request.kind) {
    case REQUEST_QUERY:
    case REQUEST_PULL:
      return encodeFilter(request.filter);
    case REQUEST_INFO:
      return new Uint8Array(0);
    case REQUEST_SEQUENCER:
      return request.seed;
    case REQUEST_INCLUSION:
    case REQUEST_BUNDLE:
      return buildSubject(request.by, request.ts);
    default:
      return buildStateKeys(request.namespace, request.keys);
  }
}

const SUBJECTS = ['seq', 'id', 'leaf_index'] as const;

function buildSubject(by: ProofSubject, ts: number | null): Uint8Array {
  const out = new Uint8Array(56);
  const view = viewOf(out);
  out[0] = SUBJECTS.indexOf(by.by);
  out[1] = ts === null ? 0 : 1;
  setU64(view, 8, by.by === 'id' ? 0 : by.n);
  setU64(view, 16, ts ?? 0);
  if (by.by === 'id') out.set(by.id, 24);
  return out;
}

function buildStateKeys(namespace: Namespace, keys: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array(8);
  head[0] = namespace;
  viewOf(head).setUint32(4, keys.length, true);
  const packed = keys.flatMap((key) => {
    const length = new Uint8Array(2);
    viewOf(length).setUint16(0, key.length, true);
    return [length, key];
  });
  return concat(head, ...packed);
}

/** The error number of an IR, 0 if it is good. */
export function requestCode(record: Uint8Array): number {
  return viewOf(record).getUint16(4, true);
}

/** A good IR of the kinds that inspect makes; byte fields are views into it. Throws RangeError on others. */
export function readRequest(record: Uint8Array): Request {
  if (requestCode(record) !== 0) throw new RangeError('a refused request has no fields');
  const envelope = {
    enclave: record.subarray(8, 40),
    from: record.subarray(40, 72),
    session: record.subarray(72, 140),
  };
  return { ...readParams(record[6] as number, record.subarray(HEAD)), ...envelope };
}

function readParams(kind: number, payload: Uint8Array): RequestParams {
  switch (kind) {
    case REQUEST_QUERY:
    case REQUEST_PULL:
      return { kind, filter: decodeFilter(payload) };
    case REQUEST_INFO:
      return { kind };
    case REQUEST_SEQUENCER:
      return { kind, seed: payload.subarray(0, 32) };
    case REQUEST_INCLUSION:
    case REQUEST_BUNDLE: {
      const view = viewOf(payload);
      const name = SUBJECTS[payload[0] as number];
      if (name === undefined) throw new RangeError('no such proof subject');
      const by: ProofSubject =
        name === 'id' ? { by: name, id: payload.subarray(24, 56) } : { by: name, n: getU64(view, 8) };
      return { kind, by, ts: payload[1] === 1 ? getU64(view, 16) : null };
    }
    case REQUEST_STATE:
    case REQUEST_STATE_BATCH:
      return { kind, namespace: payload[0] as Namespace, keys: readStateKeys(payload) };
    default:
      throw new RangeError(`no request of kind ${kind}`);
  }
}

function readStateKeys(payload: Uint8Array): Uint8Array[] {
  const view = viewOf(payload);
  let at = 8;
  return Array.from({ length: view.getUint32(4, true) }, () => {
    const length = view.getUint16(at, true);
    at += 2 + length;
    return payload.subarray(at - length, at);
  });
}
