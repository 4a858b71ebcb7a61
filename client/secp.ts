import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';

/**
 * The curve operations that the SDK needs; every back end of `shard/crypto` fits. Bytes are raw: secrets, x-only public
 * keys and hashes 32, signatures 64.
 */
export interface Secp {
  /** BIP-340; false for malformed input, never throws. */
  verifySchnorr(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
  /** Compact r||s, low-S required, public key 02 || pub (PROTOCOL §2). */
  verifyEcdsa(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
  /** BIP-340 with 32 zero bytes of auxiliary randomness. */
  signSchnorr(secret: Uint8Array, hash: Uint8Array): Uint8Array;
  /** For a secret whose public key has an odd y the negated secret signs, so that 02 || pub verifies. */
  signEcdsa(secret: Uint8Array, hash: Uint8Array): Uint8Array;
  /** x-only public key; null if the secret is 0 or ≥ n. */
  publicKey(secret: Uint8Array): Uint8Array | null;
}

const ZERO = new Uint8Array(32);
const N = secp256k1.Point.CURVE().n;
const ECDSA = { prehash: false, lowS: true, format: 'compact' } as const;

/** @noble/curves: plain JavaScript, the same everywhere, about 2 ms a verification. */
export const nobleSecp: Secp = {
  verifySchnorr(pub, hash, sig) {
    try {
      return hash.length === 32 && schnorr.verify(sig, hash, pub);
    } catch {
      return false;
    }
  },
  verifyEcdsa(pub, hash, sig) {
    if (pub.length !== 32 || hash.length !== 32 || sig.length !== 64) return false;
    try {
      return secp256k1.verify(sig, hash, withEvenY(pub), ECDSA);
    } catch {
      return false;
    }
  },
  signSchnorr: (secret, hash) => schnorr.sign(hash, secret, ZERO),
  signEcdsa: (secret, hash) => secp256k1.sign(hash, evenSecret(secret), ECDSA),
  publicKey(secret) {
    try {
      return schnorr.getPublicKey(secret);
    } catch {
      return null;
    }
  },
};

function withEvenY(pub: Uint8Array): Uint8Array {
  const key = new Uint8Array(33);
  key[0] = 2;
  key.set(pub, 1);
  return key;
}

function evenSecret(secret: Uint8Array): Uint8Array {
  if (secp256k1.getPublicKey(secret, true)[0] === 2) return secret;
  const digits = Array.from(secret, (b) => b.toString(16).padStart(2, '0')).join('');
  return Uint8Array.from((N - BigInt(`0x${digits}`)).toString(16).padStart(64, '0').match(/../g) ?? [], (d) => Number.parseInt(d, 16));
}
