import type { LogKey } from '../enclave-log.ts';
import { IndexRow } from '../index-rows.ts';
import type { IndexStorage, Row } from '../index-storage.ts';
import { prefixOf } from '../row-keys.ts';
import type { LogReader } from './log-reader.ts';
import type { RecordCache } from './record-cache.ts';
import { type Store, viewRow } from './store.ts';
import type { WriteQueue } from './write-queue.ts';

/** Index rows in database `index`: everything is at hand. */
export class EmbeddedIndexStorage implements IndexStorage {
  readonly ahead = null;
  readonly #store: Store;
  readonly #reader: LogReader;
  readonly #records: RecordCache;
  readonly #queue: WriteQueue;

  constructor(store: Store, reader: LogReader, records: RecordCache, queue: WriteQueue) {
    this.#store = store;
    this.#reader = reader;
    this.#records = records;
    this.#queue = queue;
  }

  state(key: LogKey): { seq: number; generation: number } | null {
    const row = this.#reader.head(key);
    return row === null ? null : { seq: row.head.seq, generation: row.generation };
  }

  skeleton(key: LogKey, seq: number): Buffer | null {
    return this.#records.skeleton(key, seq);
  }

  /** Over LMDB's own memory: valid until the next read of the store. */
  row(rowKey: Buffer, generation: number): IndexRow | null {
    const row = viewRow(this.#store.index, rowKey);
    return row === undefined ? null : IndexRow.of(row, rowKey, generation);
  }

  write(key: LogKey, generation: number, lastSeq: number, put: readonly Row[]): void {
    void this.#queue.submitLater({ kind: 'index', prefix: prefixOf(key), generation, lastSeq, put });
  }
}
