import { commitHash, contentHash, enclaveId, type Tags } from './hash.ts';
import {
  type EnclaveId,
  type Hash32,
  hex32,
  hex64,
  isHex32,
  isHex64,
  type PublicKey,
  type Signature,
  unhex,
} from './hex.ts';
import { canonical, isObject, type Json } from './json.ts';
import { noble, type Signer, type Verifier } from './secp.ts';
import { hasOnly, isInteger, isTags, isTypeName } from './shape.ts';

export type Alg = 'schnorr' | 'ecdsa';

/** A commit as a client sends it (PROTOCOL §3). Optional fields are there only if they were sent. */
export interface Commit {
  readonly hash: Hash32;
  readonly enclave: EnclaveId;
  readonly from: PublicKey;
  readonly type: string;
  readonly content: Json;
  /** Only of an erased event: `content` is null then, and this stands for it. */
  readonly content_hash?: Hash32;
  readonly exp: number;
  readonly tags?: Tags;
  readonly alg?: Alg;
  readonly sig: Signature;
}

/** What a client decides: the rest follows from it and the key. */
export interface CommitDraft {
  readonly enclave: EnclaveId;
  readonly type: string;
  readonly content: Json;
  readonly exp: number;
  readonly tags?: Tags;
  readonly alg?: Alg;
}

export const COMMIT_KEYS: readonly string[] = [
  'hash',
  'enclave',
  'from',
  'type',
  'content',
  'exp',
  'tags',
  'alg',
  'sig',
];
const PLAIN_KEYS: ReadonlySet<string> = new Set(COMMIT_KEYS);
const ERASABLE_KEYS: ReadonlySet<string> = new Set([...COMMIT_KEYS, 'content_hash']);

export interface CommitShape {
  /** the id in the path of the call: the field may be missing then, and must not differ */
  readonly enclave?: EnclaveId;
  /** snapshots and events: `content_hash` may stand beside `"content":null` */
  readonly erasable?: boolean;
  /** further keys that the caller checks */
  readonly keys?: ReadonlySet<string>;
}

/** The commit in a JSON value, or null (`invalid_commit`): presence and shape of each field, nothing unknown. */
export function parseCommit(value: Json, shape: CommitShape = {}): Commit | null {
  if (!isObject(value)) return null;
  if (!hasOnly(value, shape.keys ?? (shape.erasable ? ERASABLE_KEYS : PLAIN_KEYS))) return null;
  const hash = value.get('hash');
  const enclave = value.get('enclave') ?? (value.has('enclave') ? null : shape.enclave);
  const from = value.get('from');
  const type = value.get('type');
  const content = value.get('content');
  const erased = value.get('content_hash');
  const exp = value.get('exp');
  const tags = value.get('tags');
  const alg = value.get('alg');
  const sig = value.get('sig');
  if (!isHex32<Hash32>(hash) || !isHex32<EnclaveId>(enclave) || !isHex32<PublicKey>(from) || !isHex64(sig)) return null;
  if (shape.enclave !== undefined && enclave !== shape.enclave) return null;
  if (!isTypeName(type) || content === undefined || !isInteger(exp)) return null;
  if (tags !== undefined && !isTags(tags)) return null;
  if (alg !== undefined && alg !== 'schnorr' && alg !== 'ecdsa') return null;
  if (erased !== undefined && (content !== null || !isHex32<Hash32>(erased))) return null;
  return {
    hash,
    enclave,
    from,
    type,
    content,
    ...(erased === undefined ? {} : { content_hash: erased }),
    exp,
    ...(tags === undefined ? {} : { tags }),
    ...(alg === undefined ? {} : { alg }),
    sig,
  };
}

/** content_hash of the commit, taken from the field if it is erased. */
export function contentHashOf(commit: Pick<Commit, 'content' | 'content_hash'>): Uint8Array {
  return commit.content_hash === undefined ? contentHash(commit.content) : unhex(commit.content_hash);
}

/** The hash that `sig` signs (PROTOCOL §3), whatever the `hash` field says. */
export function commitHashOf(commit: Omit<Commit, 'hash' | 'sig'>): Uint8Array {
  return commitHash({
    enclave: unhex(commit.enclave),
    from: unhex(commit.from),
    type: commit.type,
    contentHash: contentHashOf(commit),
    exp: commit.exp,
    tags: commit.tags ?? [],
  });
}

/** Signs a draft with `secret` (32 bytes); throws on a secret that is 0 or ≥ n. */
export function signCommit(draft: CommitDraft, secret: Uint8Array, signer: Signer = noble): Commit {
  const pub = signer.publicKey(secret);
  if (pub === null) throw new RangeError('not a secret key');
  const from = hex32<PublicKey>(pub);
  const hash = commitHashOf({ ...draft, from });
  const sig = draft.alg === 'ecdsa' ? signer.signEcdsa(secret, hash) : signer.signSchnorr(secret, hash);
  return {
    hash: hex32(hash),
    enclave: draft.enclave,
    from,
    type: draft.type,
    content: draft.content,
    exp: draft.exp,
    ...(draft.tags === undefined ? {} : { tags: draft.tags }),
    ...(draft.alg === undefined ? {} : { alg: draft.alg }),
    sig: hex64(sig),
  };
}

/** The enclave that a Manifest by `from` founds (PROTOCOL §3). */
export function enclaveIdOf(from: PublicKey, content: Json, tags: Tags = []): EnclaveId {
  return hex32(enclaveId(unhex(from), contentHash(content), tags));
}

/** null if hash and signature are good; an erased commit is checked through its content_hash. */
export function verifyCommit(commit: Commit, verifier: Verifier = noble): 'invalid_hash' | 'invalid_signature' | null {
  const hash = commitHashOf(commit);
  if (hex32(hash) !== commit.hash) return 'invalid_hash';
  const verify = commit.alg === 'ecdsa' ? verifier.verifyEcdsa : verifier.verifySchnorr;
  return verify.call(verifier, unhex(commit.from), hash, unhex(commit.sig)) ? null : 'invalid_signature';
}

/** The fields as they stand in JSON text; `content` and `tags` are canonical JSON, `tags` undefined if not sent. */
export interface CommitText {
  readonly hash: string;
  readonly enclave: string;
  readonly from: string;
  readonly type: string;
  readonly content: string;
  /** stands beside `"content":null` */
  readonly contentHash?: string | undefined;
  readonly exp: number;
  readonly tags?: string | undefined;
  readonly alg?: Alg | undefined;
  readonly sig: string;
}

/** The members of a commit in their order, without braces (PROTOCOL §3). */
export function commitMembers(c: CommitText): string {
  const content = c.contentHash === undefined ? c.content : `null,"content_hash":"${c.contentHash}"`;
  const tags = c.tags === undefined ? '' : `,"tags":${c.tags}`;
  const alg = c.alg === undefined ? '' : `,"alg":"${c.alg}"`;
  return (
    `"hash":"${c.hash}","enclave":"${c.enclave}","from":"${c.from}","type":"${c.type}",` +
    `"content":${content},"exp":${c.exp}${tags}${alg},"sig":"${c.sig}"`
  );
}

/** A commit's fields as text, for `commitMembers`. */
export function commitText(commit: Commit): CommitText {
  const { hash, enclave, from, type, exp, alg, sig } = commit;
  const content = canonical(commit.content);
  const tags = commit.tags === undefined ? undefined : canonical(commit.tags);
  return { hash, enclave, from, type, content, contentHash: commit.content_hash, exp, tags, alg, sig };
}

/** The commit as canonical JSON: what a client sends and what a snapshot keeps. */
export function commitJson(commit: Commit): string {
  return `{${commitMembers(commitText(commit))}}`;
}
