import { createRequire } from 'node:module';
import {
  assertSigningInput,
  type Backend,
  evenPoint,
  evenSecret,
  isSecretKey,
  plainSigningKey,
  sizesFit,
} from './backend.ts';

const require = createRequire(import.meta.url);
const ZERO_AUX = new Uint8Array(32);
/** the 32 bytes are the digest itself, and high-S is refused (PROTOCOL §2) */
const ECDSA = { prehash: false, lowS: true } as const;

/** @noble/curves: plain JavaScript, works everywhere, about forty times slower than native. */
export function openNoble(): Backend {
  const { schnorr, secp256k1 } = require('@noble/curves/secp256k1.js') as typeof import('@noble/curves/secp256k1.js');
  const backend: Backend = {
    name: 'noble',
    verifySchnorr: (pub, hash, sig) => sizesFit(pub, hash, sig) && quiet(() => schnorr.verify(sig, hash, pub)),
    verifyEcdsa: (pub, hash, sig) =>
      sizesFit(pub, hash, sig) && quiet(() => secp256k1.verify(sig, hash, evenPoint(pub), ECDSA)),
    signSchnorr(secret, hash) {
      assertSigningInput(secret, hash);
      return schnorr.sign(hash, secret, ZERO_AUX);
    },
    signEcdsa(secret, hash) {
      assertSigningInput(secret, hash);
      const even = evenSecret(secret, secp256k1.getPublicKey(secret)[0] === 3);
      try {
        return secp256k1.sign(hash, even, ECDSA);
      } finally {
        even.fill(0);
      }
    },
    publicKey: (secret) => (isSecretKey(secret) ? schnorr.getPublicKey(secret) : null),
    signingKey: (secret) => plainSigningKey(backend, secret),
  };
  return backend;
}

function quiet(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
