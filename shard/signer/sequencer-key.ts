import { inspect } from 'node:util';
import type { Backend } from '../crypto/backend.ts';
import type { CryptoPool } from '../crypto/crypto.ts';
import type { Unwrapped } from './secret-cache.ts';

/** A sequencer key as the rest of the shard sees it: it signs, and shows nothing but its public half. */
export class SequencerKey {
  /** of the master secret that derives or wraps it */
  readonly version: number;
  /** x-only, 32 bytes */
  readonly public: Uint8Array;
  readonly #backend: Backend;
  readonly #unwrap: () => Unwrapped;

  /** `unwrap` gives the secret for the duration of one call; it is asked again each time, so a cache may forget it. */
  constructor(version: number, publicKey: Uint8Array, backend: Backend, unwrap: () => Unwrapped) {
    this.version = version;
    this.public = publicKey;
    this.#backend = backend;
    this.#unwrap = unwrap;
  }

  /** BIP-340 over 32 bytes, at once, on this thread; 64 bytes. Throws if the key cannot be unwrapped any more. */
  sign(hash: Uint8Array): Uint8Array {
    const entry = this.#unwrap();
    entry.signing ??= this.#backend.signingKey(entry.secret);
    if (!entry.signing) throw new Error('a sequencer key is out of range');
    const out = new Uint8Array(64);
    entry.signing.signInto(hash, out);
    return out;
  }

  /** Signs `count` hashes of 32 bytes in the pool: done(signatures, 64 bytes each), null when the pool is closed. */
  signMany(pool: CryptoPool, hashes: Uint8Array, count: number, done: (signatures: Uint8Array | null) => void): void {
    pool.sign(this.#unwrap(), hashes, count, done);
  }

  toString(): string {
    return `SequencerKey(${Buffer.from(this.public).toString('hex')})`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
