import type { Secp } from '../client/secp.ts';

/** The fastest curve operations this machine has: native libsecp256k1, its WASM build, or plain JavaScript. */
export async function fastestSecp(): Promise<Secp> {
  const { openSecp256k1 } = await import('../shard/crypto/open.ts');
  return openSecp256k1();
}
