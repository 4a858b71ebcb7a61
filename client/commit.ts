import { commitHash, contentHash, enclaveId } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { isObject, type Json, type JsonObject, toJson } from '../protocol/json.ts';
import { TYPE_PATTERN } from '../protocol/limits.ts';
import type { Key } from './keys.ts';
import type { Alg, Commit, Content, Tags } from './types.ts';

export interface CommitParts {
  readonly enclave: string;
  readonly type: string;
  readonly content: Content;
  /** Unix ms; the node refuses the commit from then on, and more than 10 minutes ahead. */
  readonly exp: number;
  readonly tags?: Tags | undefined;
  readonly alg?: Alg | undefined;
}

/** Hashes and signs a commit (PROTOCOL §3). Throws TypeError on content that is no JSON of PROTOCOL §1. */
export async function buildCommit(key: Key, parts: CommitParts): Promise<Commit> {
  const { enclave, type, exp, tags, alg } = parts;
  if (!/^[0-9a-f]{64}$/.test(enclave)) throw new TypeError('An enclave id is 64 lower-case hex digits.');
  if (!TYPE_PATTERN.test(type)) throw new TypeError('An event type is 1–64 of A-Z a-z 0-9 _ . : -');
  if (!Number.isSafeInteger(exp) || exp < 0) throw new TypeError('exp is a time in Unix milliseconds.');
  const hash = commitHash({
    enclave: unhex(enclave),
    from: unhex(key.id),
    type,
    contentHash: contentHash(toJson(parts.content)),
    exp,
    tags: tags ?? [],
  });
  const sig = toHex(await key.sign(hash, alg));
  return {
    hash: toHex(hash),
    enclave,
    from: key.id,
    type,
    content: parts.content,
    exp,
    ...(tags ? { tags } : {}),
    ...(alg ? { alg } : {}),
    sig,
  };
}

/** The id of the enclave that this Manifest founds when `from` signs it (PROTOCOL §3). */
export function enclaveIdOf(from: string, manifest: Content, tags: Tags = []): string {
  return toHex(enclaveId(unhex(from), contentHash(manifestJson(manifest)), tags));
}

function manifestJson(manifest: Content): JsonObject {
  const json: Json = toJson(manifest);
  if (!isObject(json)) throw new TypeError('A Manifest is a JSON object.');
  return json;
}
