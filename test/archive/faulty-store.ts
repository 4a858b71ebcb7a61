import { type ByteRange, type ObjectStore, StoreUnavailable } from '../../shard/log/archive/object-store.ts';

export type StoreFault = 'failed' | 'persisted';

/** Any store, whose n-th call (from 0) fails: nothing happened, or it did and nobody was told. */
export class FaultyStore implements ObjectStore {
  readonly name = 'faulty';
  calls = 0;
  fault: { readonly call: number; readonly kind: StoreFault } | null = null;
  /** what reads give back instead */
  lie: ((name: string, bytes: Uint8Array) => Uint8Array | null) | null = null;
  readonly #inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.#inner = inner;
  }

  create(name: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#call(() => this.#inner.create(name, bytes));
  }

  get(name: string): Promise<Uint8Array | null> {
    return this.#call(async () => {
      const bytes = await this.#inner.get(name);
      return bytes === null || this.lie === null ? bytes : this.lie(name, bytes);
    });
  }

  erase(name: string, ranges: readonly ByteRange[]): Promise<void> {
    return this.#call(() => this.#inner.erase(name, ranges));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    const { fault } = this;
    const hit = fault?.call === this.calls++;
    if (!hit) return run();
    if (fault?.kind === 'persisted') await run();
    throw new StoreUnavailable('ordered by the test', new Error(fault?.kind));
  }
}
