import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { concat } from './bytes.ts';
import { ZERO32 } from './hash.ts';

/**
 * The part of secp256k1 that the protocol needs. `shard/crypto` has faster ones of the same shape; this one runs in
 * a browser. All arguments are raw bytes.
 */
export interface Verifier {
  /** BIP-340; false for every malformed input, never throws. */
  verifySchnorr(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
  /** Compact r||s, low-S required, public key 02 || pub (PROTOCOL §2); false for every malformed input. */
  verifyEcdsa(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
}

export interface Signer {
  /** BIP-340, auxiliary randomness = 32 zero bytes. Throws on a secret that is 0 or ≥ n. */
  signSchnorr(secret: Uint8Array, hash: Uint8Array): Uint8Array;
  /** Deterministic (RFC 6979), low-S, for the key 02 || publicKey(secret). Throws on a bad secret. */
  signEcdsa(secret: Uint8Array, hash: Uint8Array): Uint8Array;
  /** x-only public key, null if the secret is 0 or ≥ n. */
  publicKey(secret: Uint8Array): Uint8Array | null;
}

const EVEN = Uint8Array.of(2);
const COMPACT = { prehash: false, lowS: true, format: 'compact' } as const;

export const noble: Verifier & Signer = {
  verifySchnorr(pub, hash, sig) {
    try {
      return schnorr.verify(sig, hash, pub);
    } catch {
      return false;
    }
  },

  verifyEcdsa(pub, hash, sig) {
    try {
      return pub.length === 32 && hash.length === 32 && secp256k1.verify(sig, hash, concat(EVEN, pub), COMPACT);
    } catch {
      return false;
    }
  },

  signSchnorr(secret, hash) {
    return schnorr.sign(hash, secret, ZERO32);
  },

  signEcdsa(secret, hash) {
    return secp256k1.sign(hash, evenSecret(secret), COMPACT);
  },

  publicKey(secret) {
    try {
      return schnorr.getPublicKey(secret);
    } catch {
      return null;
    }
  },
};

/** The secret whose public key has an even y: the one that 02 || x names. */
function evenSecret(secret: Uint8Array): Uint8Array {
  const full = secp256k1.getPublicKey(secret, true);
  if (full[0] === 2) return secret;
  const { Fn } = secp256k1.Point;
  return Fn.toBytes(Fn.neg(Fn.fromBytes(secret)));
}
