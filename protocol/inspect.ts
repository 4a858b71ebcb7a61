import { equalBytes, join, utf8 } from './bytes.ts';
import { type Commit, commitHashOf, contentHashOf, parseCommit } from './commit.ts';
import { type ErrorCode, errorNumber } from './errors.ts';
import { enclaveId, keySeed } from './hash.ts';
import { type EnclaveId, hex32, isHex32, unhex } from './hex.ts';
import { canonical, isArray, isObject, type Json, type JsonObject, parseJson, type Span } from './json.ts';
import {
  IC_ALG,
  IC_ECDSA,
  IC_ENCLAVE_OK,
  IC_ERASED,
  IC_HASH_OK,
  IC_TAGS,
  IC_TARGET,
  type Inspection,
  type InspectMode,
  type Limits,
  REQUEST_BUNDLE,
  REQUEST_INCLUSION,
  REQUEST_STATE,
  REQUEST_STATE_BATCH,
  TYPE_CUSTOM,
  TYPES,
} from './layout.ts';
import { MAX_ARRAY, MAX_COMMIT_BYTES } from './limits.ts';
import { buildCommitError, buildCommitRecord, NO_TARGET } from './records.ts';
import { buildRequest, buildRequestError, POST_REQUESTS, parseRequest, type RequestKind } from './requests.ts';

export const DEFAULT_LIMITS: Limits = { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY };

const PATH_REQUESTS: Readonly<Record<Exclude<InspectMode, 'post' | 'snapshot'>, RequestKind>> = {
  inclusion: REQUEST_INCLUSION,
  bundle: REQUEST_BUNDLE,
  state: REQUEST_STATE,
  'state-batch': REQUEST_STATE_BATCH,
};

/**
 * `Inspector.inspect` of kernel/kernel.ts, in plain words; the reference for every other one. `enclave`: 32 bytes, the id
 * in the path. Throws TypeError on an id of another length.
 */
export function inspectBody(
  body: Uint8Array,
  mode: InspectMode,
  enclave?: Uint8Array,
  limits: Limits = DEFAULT_LIMITS,
): Inspection {
  const parsed = parseJson(body);
  if (parsed === null) return refuse('invalid_json');
  const path = enclave === undefined ? undefined : hex32<EnclaveId>(enclave);
  const { value } = parsed;
  if (mode === 'snapshot') {
    if (!isObject(value)) return refuse('invalid_commit');
    return { kind: 'commit', code: 0, bytes: inspectCommit(value, parsed, path, limits, true), count: 1 };
  }
  if (mode !== 'post')
    return isObject(value) ? inspectRequest(PATH_REQUESTS[mode], value, path) : refuse('invalid_commit');
  if (isArray(value)) {
    if (value.length > limits.maxArray) return refuse('too_large');
    const records = value.map((item, i) => inspectCommit(item, parsed.elements[i] as Span, path, limits));
    return { kind: 'array', code: 0, bytes: join(records), count: records.length };
  }
  if (!isObject(value)) return refuse('invalid_commit');
  if (value.has('exp')) return { kind: 'commit', code: 0, bytes: inspectCommit(value, parsed, path, limits), count: 1 };
  const type = value.get('type');
  const kind = typeof type === 'string' ? POST_REQUESTS.get(type) : undefined;
  return kind === undefined ? refuse('invalid_commit') : inspectRequest(kind, value, path);
}

function refuse(code: ErrorCode): Inspection {
  return { kind: 'error', code: errorNumber(code), bytes: new Uint8Array(0), count: 0 };
}

function inspectRequest(kind: RequestKind, body: JsonObject, path: EnclaveId | undefined): Inspection {
  const request = parseRequest(kind, body, path);
  const bytes = typeof request === 'string' ? buildRequestError(kind, errorNumber(request)) : buildRequest(request);
  return { kind: 'request', code: 0, bytes, count: 1 };
}

function inspectCommit(
  value: Json,
  span: Span,
  path: EnclaveId | undefined,
  limits: Limits,
  erasable = false,
): Uint8Array {
  const length = span.end - span.start;
  if (length > limits.maxCommit) return buildCommitError(errorNumber('too_large'), span.start, length);
  const commit = parseCommit(value, { erasable, ...(path === undefined ? {} : { enclave: path }) });
  if (commit === null) return buildCommitError(errorNumber('invalid_commit'), span.start, length);
  const erased = commit.content_hash !== undefined;
  const hash = commitHashOf(commit);
  const target = targetOf(commit);
  const flags =
    (commit.tags === undefined ? 0 : IC_TAGS) |
    (commit.alg === undefined ? 0 : IC_ALG) |
    (commit.alg === 'ecdsa' ? IC_ECDSA : 0) |
    (target === null ? 0 : IC_TARGET) |
    (erased ? IC_ERASED : 0) |
    (hex32(hash) === commit.hash ? IC_HASH_OK : 0) |
    (foundsItsEnclave(commit) ? IC_ENCLAVE_OK : 0);
  return buildCommitRecord({
    code: 0,
    flags,
    typeNumber: typeNumber(commit.type),
    textStart: span.start,
    textLength: length,
    exp: commit.exp,
    enclave: unhex(commit.enclave),
    from: unhex(commit.from),
    hash,
    sig: unhex(commit.sig),
    contentHash: contentHashOf(commit),
    target: target ?? NO_TARGET,
    type: commit.type,
    tags: commit.tags === undefined ? '' : canonical(commit.tags),
    content: erased ? new Uint8Array(0) : utf8(canonical(commit.content)),
  });
}

/** Index in TYPES, TYPE_CUSTOM for every other name. */
export function typeNumber(type: string): number {
  const index = (TYPES as readonly string[]).indexOf(type);
  return index < 0 ? TYPE_CUSTOM : index;
}

const TARGETED: ReadonlySet<string> = new Set(['Update', 'Delete', 'Move', 'Grant', 'Revoke', 'Transfer']);

/** What an IC calls target: an event id or identity, of a Manifest its key seed; null if the content has none. */
export function targetOf(
  commit: Pick<Commit, 'type' | 'from' | 'content' | 'content_hash' | 'tags'>,
): Uint8Array | null {
  const { type, content } = commit;
  if (type === 'Manifest')
    return commit.content_hash === undefined ? keySeed(unhex(commit.from), content, commit.tags ?? []) : null;
  if (!TARGETED.has(type) || !isObject(content)) return null;
  const target = content.get('target');
  return isHex32(target) ? unhex(target) : null;
}

function foundsItsEnclave(commit: Commit): boolean {
  if (commit.type !== 'Manifest') return false;
  return equalBytes(enclaveId(unhex(commit.from), contentHashOf(commit), commit.tags ?? []), unhex(commit.enclave));
}
