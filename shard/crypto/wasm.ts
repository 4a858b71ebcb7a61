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

/** libsecp256k1 compiled to WebAssembly (tiny-secp256k1), loaded when asked for; null if it can't be. */
export function openWasm(): Backend | null {
  let tiny: typeof import('tiny-secp256k1');
  try {
    tiny = require('tiny-secp256k1');
  } catch {
    return null;
  }
  const backend: Backend = {
    name: 'wasm',
    verifySchnorr: (pub, hash, sig) => sizesFit(pub, hash, sig) && quiet(() => tiny.verifySchnorr(hash, pub, sig)),
    verifyEcdsa: (pub, hash, sig) =>
      sizesFit(pub, hash, sig) && quiet(() => tiny.verify(hash, evenPoint(pub), sig, true)),
    signSchnorr(secret, hash) {
      assertSigningInput(secret, hash);
      return tiny.signSchnorr(hash, secret, ZERO_AUX);
    },
    signEcdsa(secret, hash) {
      assertSigningInput(secret, hash);
      const even = evenSecret(secret, tiny.pointFromScalar(secret)?.[0] === 3);
      try {
        return tiny.sign(hash, even);
      } finally {
        even.fill(0);
      }
    },
    publicKey: (secret) => (isSecretKey(secret) ? tiny.xOnlyPointFromScalar(secret) : null),
    signingKey: (secret) => plainSigningKey(backend, secret),
  };
  return backend;
}

/** The library throws where a point or a number is out of range; to a verifier that is a bad signature. */
function quiet(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
