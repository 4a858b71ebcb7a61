import { TYPES } from '../../../kernel/kernel.ts';
import type { IndexReader } from '../index-reader.ts';
import { KEY_PREFIX, keyOf } from '../row-keys.ts';
import { JOURNAL_BYTES, JOURNAL_EVENT } from './erase-journal.ts';
import type { RecordCache } from './record-cache.ts';
import type { Store } from './store.ts';
import type { WriteQueue } from './write-queue.ts';

const UPDATE = TYPES.indexOf('Update');
/** Journal rows looked at in one go. */
const SLICE = 256;

/**
 * Carries out what the erase journal asks for, one Delete after the other: finds the event and every Update of it,
 * has them marked erased, and waits until their bytes are overwritten.
 */
export class Eraser {
  readonly #store: Store;
  readonly #index: IndexReader;
  readonly #records: RecordCache;
  readonly #queue: WriteQueue;
  #running = false;
  #again = false;
  /** erase and replace operations whose bytes are not overwritten yet */
  #open = 0;
  #waiting: (() => void)[] = [];
  #failed = false;

  constructor(store: Store, index: IndexReader, records: RecordCache, queue: WriteQueue) {
    this.#store = store;
    this.#index = index;
    this.#records = records;
    this.#queue = queue;
  }

  /** Starts, or looks at the journal once more when it is through. */
  resume(): void {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** An operation that leaves bytes to overwrite goes to the writer. */
  asked(): void {
    this.#open++;
  }

  /** The writer has overwritten the bytes of so many operations, or they were refused. */
  overwritten(ops: number): void {
    this.#open -= ops;
    this.#settle();
  }

  /** Resolves when nothing is left to erase; rejects if it can't be done now (it goes on after the next Delete or start). */
  finished(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() =>
        this.#failed ? reject(new Error('Erasing has failed; it is tried again at the next start.')) : resolve(),
      );
      this.resume();
    });
  }

  async #run(): Promise<void> {
    this.#failed = false;
    while (this.#again) {
      this.#again = false;
      for (let rows = this.#journal(null); rows.length > 0; rows = this.#journal(rows[rows.length - 1] as Buffer)) {
        // One enclave whose records are damaged does not keep the others from being erased.
        for (const row of rows) if (!(await this.#erase(row).catch(() => false))) this.#failed = true;
      }
    }
    this.#running = false;
    this.#settle();
  }

  #journal(after: Buffer | null): Buffer[] {
    const start = after === null ? Buffer.from([JOURNAL_EVENT]) : Buffer.concat([after, Buffer.alloc(1)]);
    return [...this.#store.erasures.getKeys({ start, end: Buffer.from([JOURNAL_BYTES]), limit: SLICE })];
  }

  async #erase(row: Buffer): Promise<boolean> {
    const key = keyOf(row, 1);
    const id = row.subarray(1 + KEY_PREFIX);
    const events: { seq: number; id: Uint8Array }[] = [];
    const seq = await this.#index.find(key, 'id', id);
    if (seq >= 0) {
      events.push({ seq, id: new Uint8Array(id) });
      for (const candidate of this.#index.candidates(key, {
        from: seq,
        to: Number.MAX_SAFE_INTEGER,
        reverse: false,
        targets: [id],
      })) {
        if (typeof candidate !== 'number' || candidate < 0) {
          await (candidate instanceof Promise ? candidate : new Promise(setImmediate));
          continue;
        }
        const record = this.#records.skeleton(key, candidate);
        if (record === null || record[6] !== UPDATE || record.compare(id, 0, 32, 304, 336) !== 0) continue;
        events.push({ seq: candidate, id: new Uint8Array(record.subarray(48, 80)) });
      }
    }
    this.asked();
    const result = await this.#queue.submit({
      kind: 'erase',
      prefix: new Uint8Array(row.subarray(1, 1 + KEY_PREFIX)),
      events,
      done: new Uint8Array(row),
    });
    if (result !== 'ok') this.overwritten(1);
    this.#records.release(key);
    return result === 'ok';
  }

  #settle(): void {
    if (this.#running || (this.#open > 0 && !this.#failed)) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}
