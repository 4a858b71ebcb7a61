import type { Secp256k1 } from './crypto.ts';

/** One secret key made ready for many signatures: the public key's multiplication is paid once. */
export interface SigningKey {
  /** x-only, 32 bytes */
  readonly publicKey: Uint8Array;
  /** BIP-340 with 32 zero bytes of auxiliary randomness; 64 bytes written to `out`. Throws after destroy(). */
  signInto(hash: Uint8Array, out: Uint8Array): void;
  /** Overwrites the secret. */
  destroy(): void;
}

/** One public key made ready for many verifications: finding its point is paid once. */
export interface VerifyingKey {
  /** BIP-340 over a 32-byte hash; false for every malformed input, never throws. */
  verify(hash: Uint8Array, sig: Uint8Array): boolean;
}

/** A back end as this room sees it: the contract plus keys that sign often. */
export interface Backend extends Secp256k1 {
  /** A public key made ready for many BIP-340 verifications; absent where preparing gains nothing. null: not on the curve. */
  readonly verifyingKey?: (pub: Uint8Array) => VerifyingKey | null;
  /** null if the secret is not 32 bytes, 0 or ≥ n. The secret is copied; the caller may wipe its own. */
  signingKey(secret: Uint8Array): SigningKey | null;
}

const ORDER = Buffer.from('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', 'hex');
const ZERO = new Uint8Array(32);

/** True for 32 bytes that are 0 < secret < n. */
export function isSecretKey(secret: Uint8Array): boolean {
  if (secret.length !== 32) return false;
  return Buffer.compare(secret, ZERO) > 0 && Buffer.compare(secret, ORDER) < 0;
}

/** Throws, without naming the bytes, what makes a signing call unusable. */
export function assertSigningInput(secret: Uint8Array, hash: Uint8Array): void {
  if (!isSecretKey(secret)) throw new RangeError('a secret key is 32 bytes, 0 < key < n');
  if (hash.length !== 32) throw new RangeError('a signature is made over 32 bytes');
}

/** Lengths of a verification's arguments: everything else is left to the library. */
export function sizesFit(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean {
  return pub.length === 32 && hash.length === 32 && sig.length === 64;
}

/** `02 || pub`, the key under which `alg: "ecdsa"` is checked (PROTOCOL §2). */
export function evenPoint(pub: Uint8Array): Uint8Array {
  const point = new Uint8Array(33);
  point[0] = 2;
  point.set(pub, 1);
  return point;
}

/** A SigningKey for back ends that gain nothing from preparing one. */
export function plainSigningKey(backend: Secp256k1, secret: Uint8Array): SigningKey | null {
  const publicKey = backend.publicKey(secret);
  if (!publicKey) return null;
  const copy = Uint8Array.from(secret);
  return {
    publicKey,
    signInto: (hash, out) => out.set(backend.signSchnorr(copy, hash)),
    destroy: () => void copy.fill(0),
  };
}

/**
 * ECDSA is checked under `02 || pub`, the point with even y (PROTOCOL §2), so a secret whose point has odd y signs as
 * n − secret, as BIP-340 does. The returned copy is the caller's to wipe.
 */
export function evenSecret(secret: Uint8Array, isOdd: boolean): Uint8Array {
  const copy = Uint8Array.from(secret);
  if (!isOdd) return copy;
  let borrow = 0;
  for (let i = 31; i >= 0; i--) {
    const digit = (ORDER[i] as number) - (secret[i] as number) - borrow;
    borrow = digit < 0 ? 1 : 0;
    copy[i] = digit & 0xff;
  }
  return copy;
}
