import { type Commit, commitJson, enclaveIdOf, signCommit } from '../../protocol/commit.ts';
import type { Tags } from '../../protocol/hash.ts';
import { sha256 } from '../../protocol/hash.ts';
import { type EnclaveId, hex32, type PublicKey, toHex, unhex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { makeSession } from '../../protocol/session.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';

export const secp = openSecp256k1();

export interface Person {
  readonly secret: Uint8Array;
  readonly id: PublicKey;
}

/** A key pair that only tests use: the secret is the hash of its name. */
export function person(name: string): Person {
  const secret = sha256(Buffer.from(`api test ${name}`));
  return { secret, id: hex32<PublicKey>(secp.publicKey(secret) as Uint8Array) };
}

export interface Signing {
  readonly exp: number;
  readonly tags?: Tags;
  readonly alg?: 'schnorr' | 'ecdsa';
}

/** A signed commit with any content. */
export function sign(who: Person, enclave: string, type: string, content: unknown, signing: Signing): Commit {
  return signCommit({ enclave: enclave as EnclaveId, type, content: toJson(content), ...signing }, who.secret, secp);
}

/** The Manifest commit of a new enclave. */
export function founding(who: Person, content: unknown, signing: Signing): Commit {
  return sign(who, enclaveIdOf(who.id, toJson(content), signing.tags ?? []), 'Manifest', content, signing);
}

export const json = (commit: Commit): string => commitJson(commit);

/** A plain session token (PROTOCOL §8); `expires` in Unix seconds. */
export const session = (who: Person, sequencer: string, expires: number): string =>
  makeSession(who.secret, unhex(sequencer), expires, secp);

export { toHex, unhex };
