import { createHash } from 'node:crypto';
import type { Key } from '../../client/keys.ts';
import { toHex } from '../../protocol/hex.ts';
import type { Backend } from '../../shard/crypto/backend.ts';

/** The identities of a run: the same in all of its threads, and in every run of that seed. */
export interface People {
  readonly owner: Key;
  readonly authors: readonly Key[];
}

export function people(seed: string, authors: number, secp: Backend): People {
  const [owner, ...rest] = Array.from({ length: authors + 1 }, (_, i) => person(`${seed}/${i}`, secp));
  return { owner: owner as Key, authors: rest };
}

/** A key that is made ready once and signs often. */
function person(name: string, secp: Backend): Key {
  const secret = createHash('sha256').update(`hammer/${name}`).digest();
  const key = secp.signingKey(secret);
  if (!key) throw new Error(`"${name}" makes no key: take another seed`);
  return {
    id: toHex(key.publicKey),
    sign: (hash, alg = 'schnorr') => {
      if (alg === 'ecdsa') return secp.signEcdsa(secret, hash);
      const sig = new Uint8Array(64);
      key.signInto(hash, sig);
      return sig;
    },
  };
}

/** A Manifest under which the owner and every author may do all that the hammer does. */
export function manifest(
  { owner, authors }: People,
  bundle: { size: number; timeout: number },
): Record<string, unknown> {
  const ops = ['C', 'U', 'D'];
  return {
    enc_v: 2,
    bundle,
    RBAC: {
      states: ['OWNER', 'MEMBER'],
      readers: ['OWNER', 'MEMBER'].map((type) => ({ type, reads: '*' })),
      slots: ['Shared', 'Own'].map((event) => ({ event, operator: 'MEMBER', ops, key: '*' })),
      customs: [
        { event: 'note', operator: 'MEMBER', ops: ['C'] },
        { event: 'note', operator: 'Sender', ops: ['U', 'D'] },
      ],
      init: [
        { identity: owner.id, state: 'OWNER', traits: [] },
        ...authors.map(({ id }) => ({ identity: id, state: 'MEMBER', traits: [] })),
      ],
    },
  };
}
