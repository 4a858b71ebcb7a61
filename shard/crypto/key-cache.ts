import type { Backend, VerifyingKey } from './backend.ts';

/** Keys kept, about 300 bytes each: the authors that one worker meets again and again. */
const KEPT = 8192;

/**
 * BIP-340 verification that remembers the points of public keys. Finding the point of an x-only key is an eighth of a
 * verification by libsecp256k1, and most commits come from authors who were here before.
 */
export class KeyCache {
  readonly #backend: Backend;
  readonly #kept: number;
  /** by the key's bytes (latin1); `older` were not asked for since the last change of generation */
  #recent = new Map<string, VerifyingKey>();
  #older = new Map<string, VerifyingKey>();

  /** `kept`: keys at most, in two generations. */
  constructor(backend: Backend, kept = KEPT) {
    this.#backend = backend;
    this.#kept = kept;
  }

  /** False for every malformed input, never throws. */
  verifySchnorr(pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean {
    if (!this.#backend.verifyingKey) return this.#backend.verifySchnorr(pub, hash, sig);
    const name = Buffer.prototype.latin1Slice.call(pub, 0, pub.length);
    const key = this.#recent.get(name) ?? this.#prepare(name, pub);
    return key?.verify(hash, sig) ?? false;
  }

  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  #prepare(name: string, pub: Uint8Array): VerifyingKey | null {
    const key = this.#older.get(name) ?? this.#backend.verifyingKey?.(pub) ?? null;
    if (key === null) return null;
    this.#older.delete(name);
    if (this.#recent.size >= this.#kept / 2) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(name, key);
    return key;
  }
}
