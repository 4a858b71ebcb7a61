import { createHash } from 'node:crypto';
import { openSecp256k1 } from '../../shard/crypto/open.ts';

const secp = openSecp256k1();

export interface Identity {
  readonly secret: Uint8Array;
  readonly pub: Uint8Array;
  readonly hex: string;
}

export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
export const sha = (...parts: readonly (Uint8Array | string)[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

/** A key pair that only tests use: the secret is a hash of its name. */
export function identity(name: string): Identity {
  const secret = sha('parity identity ', name);
  const pub = secp.publicKey(secret);
  if (!pub) throw new Error(`no key for ${name}`);
  return { secret, pub, hex: hex(pub) };
}

export function sign(who: Identity, hash: Uint8Array, alg: 'schnorr' | 'ecdsa' = 'schnorr'): Uint8Array {
  return alg === 'ecdsa' ? secp.signEcdsa(who.secret, hash) : secp.signSchnorr(who.secret, hash);
}

const verified = new Map<string, boolean>();

/** Verifies, and remembers: both kernels and every replay ask the same. */
export function verify(alg: number, pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean {
  const key = `${alg}${hex(pub)}${hex(hash)}${hex(sig)}`;
  let good = verified.get(key);
  if (good === undefined) {
    if (verified.size > 50_000) verified.clear();
    good = alg === 1 ? secp.verifyEcdsa(pub, hash, sig) : secp.verifySchnorr(pub, hash, sig);
    verified.set(key, good);
  }
  return good;
}

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** The same ECDSA signature with s ↦ n − s: valid to a lax verifier, refused here (PROTOCOL §2). */
export function highS(sig: Uint8Array): Uint8Array {
  const s = ORDER - BigInt(`0x${hex(sig.subarray(32))}`);
  return unhex(hex(sig.subarray(0, 32)) + s.toString(16).padStart(64, '0'));
}

/** Plain session token (PROTOCOL §8), 68 bytes. */
export function sessionToken(who: Identity, sequencer: Uint8Array, expires: number): Uint8Array {
  const be = Buffer.alloc(4);
  be.writeUInt32BE(expires >>> 0);
  const sig = sign(who, sha('enc:session:plain:', sequencer, be));
  return new Uint8Array([...sig, ...be]);
}
