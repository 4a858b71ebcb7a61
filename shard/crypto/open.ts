import type { Backend } from './backend.ts';
import type { Secp256k1 } from './crypto.ts';
import { openNative } from './native.ts';
import { openNoble } from './noble.ts';
import { openWasm } from './wasm.ts';

const ORDER_OF_PREFERENCE = ['native', 'wasm', 'noble'] as const;
const OPEN: Record<Secp256k1['name'], () => Backend | null> = { native: openNative, wasm: openWasm, noble: openNoble };

/**
 * The fastest back end that works here, or exactly the one that is asked for. Each must first give the known answers
 * of BIP-340's test vector 0, so a library of another ABI is passed over. Throws if `prefer` is not available.
 */
export function openSecp256k1(prefer?: Secp256k1['name']): Backend {
  for (const name of prefer ? [prefer] : ORDER_OF_PREFERENCE) {
    const backend = OPEN[name]();
    if (backend && givesKnownAnswers(backend)) return backend;
  }
  throw new Error(
    prefer === 'native'
      ? 'libsecp256k1 was not found: install it (Debian, Ubuntu: apt-get install libsecp256k1-1 or libsecp256k1-2), or leave ENC_CRYPTO unset'
      : `the secp256k1 back end "${prefer ?? 'any'}" does not work on this machine: run npm ci again`,
  );
}

/** One line for the operator when a slower back end is in use; null when there is nothing to gain. */
export function secp256k1Advice(backend: Secp256k1['name']): string | null {
  if (backend === 'native') return null;
  const factor = backend === 'wasm' ? '6' : '40';
  return (
    `signatures run on the ${backend} back end: with native libsecp256k1 they are about ${factor} times faster ` +
    '(Debian, Ubuntu: apt-get install libsecp256k1-1 or libsecp256k1-2; Fedora: dnf install libsecp256k1; ' +
    'Alpine: apk add libsecp256k1; macOS: brew install secp256k1), then start again'
  );
}

const PUBLIC_KEY = Buffer.from('f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9', 'hex');
const SIGNATURE = Buffer.from(
  'e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca821525f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0',
  'hex',
);

function givesKnownAnswers(backend: Backend): boolean {
  const secret = new Uint8Array(32);
  secret[31] = 3;
  const zero = new Uint8Array(32);
  const sig = backend.signSchnorr(secret, zero);
  const pub = backend.publicKey(secret);
  return (
    pub !== null &&
    PUBLIC_KEY.equals(pub) &&
    SIGNATURE.equals(sig) &&
    backend.verifySchnorr(pub, zero, sig) &&
    backend.verifyEcdsa(pub, zero, backend.signEcdsa(secret, zero))
  );
}
