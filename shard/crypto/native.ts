import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import {
  assertSigningInput,
  type Backend,
  evenPoint,
  evenSecret,
  isSecretKey,
  type SigningKey,
  sizesFit,
} from './backend.ts';

const require = createRequire(import.meta.url);

/** The functions used below have kept their ABI over all of these; `open.ts` checks known answers besides. */
const NAMES = [
  ...['6', '5', '4', '3', '2', '1'].map((version) => `libsecp256k1.so.${version}`),
  'libsecp256k1.so',
  'libsecp256k1.dylib',
  '/opt/homebrew/lib/libsecp256k1.dylib',
  '/usr/local/lib/libsecp256k1.dylib',
];
/** SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY: since 0.2 the same as NONE, and needed before */
const CONTEXT_FLAGS = 0x0301;
/** size of secp256k1_keypair, an opaque struct of the library */
const KEYPAIR_BYTES = 96;

/**
 * libsecp256k1 of the operating system through koffi; null where there is none (or none with the schnorrsig module).
 * Not re-entrant: one instance per thread, its scratch buffers are shared by all calls.
 */
export function openNative(): Backend | null {
  try {
    return load();
  } catch {
    return null;
  }
}

function load(): Backend | null {
  const koffi = require('koffi') as typeof import('koffi');
  const library = firstOf(NAMES, (name) => koffi.load(name));
  if (!library) return null;
  const call = (name: string, args: string): ((...values: unknown[]) => number) =>
    library.func(`int secp256k1_${name}(void *, ${args})`);
  const randomize = call('context_randomize', 'const void *');
  const xonlyParse = call('xonly_pubkey_parse', 'void *, const void *');
  const xonlySerialize = call('xonly_pubkey_serialize', 'void *, const void *');
  const schnorrVerify = call('schnorrsig_verify', 'const void *, const void *, size_t, const void *');
  const schnorrSign = call('schnorrsig_sign32', 'void *, const void *, const void *, const void *');
  const keypairCreate = call('keypair_create', 'void *, const void *');
  const keypairPub = call('keypair_xonly_pub', 'void *, void *, const void *');
  const pubkeyParse = call('ec_pubkey_parse', 'void *, const void *, size_t');
  const ecdsaParse = call('ecdsa_signature_parse_compact', 'void *, const void *');
  const ecdsaSerialize = call('ecdsa_signature_serialize_compact', 'void *, const void *');
  const ecdsaVerify = call('ecdsa_verify', 'const void *, const void *, const void *');
  const ecdsaSign = call('ecdsa_sign', 'void *, const void *, const void *, void *, void *');

  const context = library.func('void *secp256k1_context_create(unsigned int)')(CONTEXT_FLAGS);
  const blinding = randomBytes(32);
  randomize(context, blinding);
  blinding.fill(0);
  const pubkey = new Uint8Array(64);
  const signature = new Uint8Array(64);
  const auxiliary = new Uint8Array(32);
  const parity = new Int32Array(1);

  const keypairOf = (secret: Uint8Array): Uint8Array | null => {
    if (!isSecretKey(secret)) return null;
    const keypair = new Uint8Array(KEYPAIR_BYTES);
    return keypairCreate(context, keypair, secret) === 1 ? keypair : null;
  };
  const publicOf = (keypair: Uint8Array): Uint8Array => {
    const out = new Uint8Array(32);
    keypairPub(context, pubkey, null, keypair);
    xonlySerialize(context, out, pubkey);
    return out;
  };
  const sign = (keypair: Uint8Array, hash: Uint8Array, out: Uint8Array): void => {
    if (hash.length !== 32 || out.length !== 64) throw new RangeError('a signature is 64 bytes over 32 bytes');
    if (schnorrSign(context, out, hash, keypair, auxiliary) !== 1) throw new Error('libsecp256k1 refused to sign');
  };

  return {
    name: 'native',
    verifySchnorr(pub, hash, sig) {
      if (!sizesFit(pub, hash, sig)) return false;
      return xonlyParse(context, pubkey, pub) === 1 && schnorrVerify(context, sig, hash, 32, pubkey) === 1;
    },
    verifyingKey(pub) {
      const point = new Uint8Array(64);
      if (pub.length !== 32 || xonlyParse(context, point, pub) !== 1) return null;
      return {
        verify: (hash, sig) =>
          hash.length === 32 && sig.length === 64 && schnorrVerify(context, sig, hash, 32, point) === 1,
      };
    },
    verifyEcdsa(pub, hash, sig) {
      if (!sizesFit(pub, hash, sig)) return false;
      if (pubkeyParse(context, pubkey, evenPoint(pub), 33) !== 1) return false;
      return ecdsaParse(context, signature, sig) === 1 && ecdsaVerify(context, signature, hash, pubkey) === 1;
    },
    signSchnorr(secret, hash) {
      assertSigningInput(secret, hash);
      const out = new Uint8Array(64);
      using(keypairOf(secret), (keypair) => sign(keypair, hash, out));
      return out;
    },
    signEcdsa(secret, hash) {
      assertSigningInput(secret, hash);
      const out = new Uint8Array(64);
      using(keypairOf(secret), (keypair) => keypairPub(context, pubkey, parity, keypair));
      using(evenSecret(secret, parity[0] === 1), (even) => {
        if (ecdsaSign(context, signature, hash, even, null, null) !== 1)
          throw new Error('libsecp256k1 refused to sign');
      });
      ecdsaSerialize(context, out, signature);
      return out;
    },
    publicKey: (secret) => using(keypairOf(secret), publicOf),
    signingKey(secret): SigningKey | null {
      let keypair = keypairOf(secret);
      if (!keypair) return null;
      return {
        publicKey: publicOf(keypair),
        signInto(hash, out) {
          // The library aborts the process when it meets a wiped key pair, so it never gets one.
          if (!keypair) throw new Error('this signing key was destroyed');
          sign(keypair, hash, out);
        },
        destroy() {
          keypair?.fill(0);
          keypair = null;
        },
      };
    },
  };
}

/** Hands a secret buffer to `use` and wipes it afterwards. */
function using<T>(secret: Uint8Array | null, use: (secret: Uint8Array) => T): T | null {
  if (!secret) return null;
  try {
    return use(secret);
  } finally {
    secret.fill(0);
  }
}

function firstOf<T>(names: readonly string[], attempt: (name: string) => T): T | null {
  for (const name of names) {
    try {
      return attempt(name);
    } catch {
      // not this one
    }
  }
  return null;
}
