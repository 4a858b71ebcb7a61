import type { SigningKey } from '../crypto/backend.ts';
import { type PoolKey, poolKey } from '../crypto/pool-key.ts';

/** A secret in use: as the pool signs with it, and the prepared key once this thread has signed with it. */
export interface Unwrapped extends PoolKey {
  signing: SigningKey | null;
}

/** Unwrapped secrets, least recently used out first; what leaves is overwritten with zeros. */
export class SecretCache {
  readonly #limit: number;
  readonly #entries = new Map<string, Unwrapped>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(name: string, unwrap: () => Uint8Array): Unwrapped {
    let entry = this.#entries.get(name);
    if (entry) this.#entries.delete(name);
    else entry = { ...poolKey(unwrap()), signing: null };
    this.#entries.set(name, entry);
    if (this.#entries.size > this.#limit) this.#evict(this.#entries.keys().next().value as string);
    return entry;
  }

  /** Overwrites and forgets one secret, if it is here. */
  drop(name: string): void {
    this.#evict(name);
  }

  clear(): void {
    for (const name of [...this.#entries.keys()]) this.#evict(name);
  }

  #evict(name: string): void {
    const entry = this.#entries.get(name);
    entry?.secret.fill(0);
    entry?.signing?.destroy();
    this.#entries.delete(name);
  }
}
