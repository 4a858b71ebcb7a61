import type { ArchiveMetrics } from './archive-metrics.ts';
import type { ByteRange, ObjectStore } from './object-store.ts';

/** An object store whose calls are timed, those that fail included: a store that hangs shows in its latency first. */
export class MeasuredStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #seconds: ArchiveMetrics['requestSeconds'];

  constructor(store: ObjectStore, { requestSeconds }: Pick<ArchiveMetrics, 'requestSeconds'>) {
    this.#store = store;
    this.#seconds = requestSeconds;
  }

  get name(): string {
    return this.#store.name;
  }

  create(name: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#timed('create', this.#store.create(name, bytes));
  }

  get(name: string): Promise<Uint8Array | null> {
    return this.#timed('get', this.#store.get(name));
  }

  erase(name: string, ranges: readonly ByteRange[]): Promise<void> {
    return this.#timed('erase', this.#store.erase(name, ranges));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #timed<T>(call: string, work: Promise<T>): Promise<T> {
    const end = this.#seconds.startTimer({ call });
    try {
      return await work;
    } finally {
      end();
    }
  }
}
