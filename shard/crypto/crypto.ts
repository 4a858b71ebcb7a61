import type { PoolKey } from './pool-key.ts';

/**
 * secp256k1 behind one interface. Back ends: native libsecp256k1 (koffi), its WASM build, @noble/curves.
 * All byte arguments are raw. Nothing here logs or keeps a secret.
 */
export interface Secp256k1 {
  readonly name: 'native' | 'wasm' | 'noble';
  /** BIP-340 over a 32-byte hash; false for every malformed input, never throws. */
  verifySchnorr(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
  /** Compact r||s, low-S required, public key 02 || pub (PROTOCOL §2). */
  verifyEcdsa(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
  /** BIP-340, auxiliary randomness = 32 zero bytes. */
  signSchnorr(secret: Uint8Array, hash: Uint8Array): Uint8Array;
  signEcdsa(secret: Uint8Array, hash: Uint8Array): Uint8Array;
  /** x-only public key; null if the secret is 0 or ≥ n. */
  publicKey(secret: Uint8Array): Uint8Array | null;
}

/**
 * Worker pool (ARCHITECTURE §8). Jobs of many callers travel in one packed batch over shared memory; there is one
 * callback per *batch of the caller*, no promise per signature.
 */
export interface CryptoPool {
  readonly backend: Secp256k1['name'];
  readonly workers: number;
  /** Verifies `count` commits of which job i has its inputs at `inputs[i*136 ..]`: u8 alg (0 schnorr, 1 ecdsa), 7 zero,
   *  pub32, hash32, sig64. done(results) gets one byte per job: 1 good, 0 bad; null if the pool is closed. */
  verify(inputs: Uint8Array, count: number, done: (results: Uint8Array | null) => void): void;
  /** Signs `count` hashes (32 bytes each) with one key: done(signatures, 64 bytes each). */
  sign(key: PoolKey, hashes: Uint8Array, count: number, done: (signatures: Uint8Array | null) => void): void;
  /** jobs waiting or running */
  readonly pending: number;
  close(): Promise<void>;
}
