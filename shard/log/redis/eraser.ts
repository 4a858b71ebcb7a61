import { TYPES } from '../../../kernel/kernel.ts';
import type { Reply } from '../../redis/link.ts';
import type { RedisStore } from '../../redis/redis-store.ts';
import type { LogKey } from '../enclave-log.ts';
import { SEGMENT } from '../index-columns.ts';
import type { IndexReader } from '../index-reader.ts';
import { keyOf, prefixOf } from '../row-keys.ts';
import { eraseFrom } from './entry-row.ts';
import { deletesKey, ERASURES, laneKey, placeBytes, SERVER, segmentKey } from './keys.ts';
import type { LogReader } from './log-reader.ts';
import { ERASE, ERASED } from './scripts.ts';

const UPDATE = TYPES.indexOf('Update');
/** Lanes, and Deletes of one, that are looked at in one go. */
const SLICE = 256;
/** A batch may be changed by another eraser between reading and writing it: it is read again so often. */
const TRIES = 5;
/** How often one looks for what a process left that died, ms. */
const LOOK_EVERY_MS = 60_000;

/**
 * Carries out the Deletes that appends have journaled, one after the other: finds the event and every Update of it, and
 * writes their batches anew without those contents. Every process does it for the whole server: twice does no harm.
 */
export class Eraser {
  readonly #store: RedisStore;
  readonly #reader: LogReader;
  readonly #index: IndexReader;
  readonly #timer: NodeJS.Timeout;
  #running = false;
  #again = false;
  #failed = false;
  #closed = false;
  #waiting: (() => void)[] = [];

  constructor(store: RedisStore, reader: LogReader, index: IndexReader) {
    this.#store = store;
    this.#reader = reader;
    this.#index = index;
    this.#timer = setInterval(() => this.resume(), LOOK_EVERY_MS).unref();
  }

  /** Starts, or looks at the journal once more when it is through. */
  resume(): void {
    if (this.#closed) return;
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** Resolves when nothing is left to erase; rejects if it can't be done now (it goes on by itself, within a minute). */
  finished(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() =>
        this.#failed || this.#closed
          ? reject(new Error('Erasing has failed; it is tried again within a minute.'))
          : resolve(),
      );
      if (this.#closed) this.#settle();
      else this.resume();
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    if (!this.#running) this.#settle();
  }

  async #run(): Promise<void> {
    this.#failed = false;
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#all();
      } catch {
        this.#failed = true;
      }
    }
    this.#running = false;
    this.#settle();
  }

  async #all(): Promise<void> {
    for (let at = 0; !this.#closed; ) {
      const members = (await this.#reader.fetch('ZRANGE', ERASURES, String(at), String(at + SLICE - 1))) as Buffer[];
      if (members.length === 0) return;
      for (const member of members) {
        // One enclave whose records are damaged does not keep the others from being erased.
        const done = await this.#lane(keyOf(member, 0)).catch(() => false);
        if (done) continue;
        this.#failed = true;
        at++;
      }
    }
  }

  /** True if no Delete of the lane is left. */
  async #lane(key: LogKey): Promise<boolean> {
    const lane = laneKey(key);
    for (;;) {
      const ids = (await this.#reader.fetch('SRANDMEMBER', deletesKey(lane), String(SLICE))) as Reply[];
      let left: Reply = 0;
      for (const id of ids) {
        if (this.#closed) return false;
        await this.#delete(key, id as Buffer);
        left = await this.#store.counted(ERASED, [deletesKey(lane), ERASURES], [id as Buffer, prefixOf(key)]);
      }
      if (ids.length === 0) await this.#store.counted(ERASED, [deletesKey(lane), ERASURES], ['', prefixOf(key)]);
      if (left === 0) return true;
    }
  }

  async #delete(key: LogKey, id: Buffer): Promise<void> {
    const seq = await this.#index.find(key, 'id', id);
    if (seq < 0) return;
    const events = [{ seq, id: new Uint8Array(id) }];
    const plan = { from: seq, to: Number.MAX_SAFE_INTEGER, reverse: false, targets: [id] };
    for (const step of this.#index.candidates(key, plan)) {
      if (typeof step !== 'number') await step;
      if (typeof step !== 'number' || step < 0) continue;
      const record = this.#reader.cache.skeleton(key, step) ?? (await this.#reader.skeleton(key, step, false));
      if (record === null || record[6] !== UPDATE || record.compare(id, 0, 32, 304, 336) !== 0) continue;
      events.push({ seq: step, id: new Uint8Array(record.subarray(48, 80)) });
    }
    for (const event of events) await this.#erase(key, event.seq, event.id);
  }

  async #erase(key: LogKey, seq: number, id: Uint8Array): Promise<void> {
    const prefix = prefixOf(key);
    const lane = laneKey(key);
    for (let i = 0; i < TRIES; i++) {
      const { row, entries } = await this.#reader.pick(key, [seq]);
      // What has been trimmed is the archive's to erase.
      if (row === null || seq < row.trimmed || seq > row.head.seq) return;
      const [entry] = entries;
      const erased = entry === undefined ? null : eraseFrom(key, prefix, entry, [id]);
      if (entry === undefined || erased === null) return;
      const segment = Math.floor(entry.firstSeq / SEGMENT);
      const written = await this.#store.counted(
        ERASE,
        [lane, segmentKey(lane, segment), SERVER],
        [
          placeBytes(entry.firstSeq % SEGMENT),
          entry.row.subarray(4, 8),
          erased.row,
          erased.content,
          String(Date.now()),
        ],
      );
      this.#reader.cache.release(key);
      if (written === 1) return;
    }
    throw new Error('The batch was changed again and again.');
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}
