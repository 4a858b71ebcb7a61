import { join } from 'node:path';
import type { Head } from '../../../kernel/kernel.ts';
import { asBuffer } from '../bytes.ts';
import { type CheckpointRows, CheckpointStore } from '../checkpoint-store.ts';
import type {
  Append,
  AppendResult,
  Batch,
  CandidatePlan,
  Checkpoint,
  EnclaveLog,
  Epoch,
  LogKey,
  NewCheckpoint,
  Opened,
  StoredEvent,
  Usage,
} from '../enclave-log.ts';
import { foldHead } from '../fold-head.ts';
import { sameHead } from '../head-bytes.ts';
import { IndexReader } from '../index-reader.ts';
import { LogDamaged, LogUnavailable } from '../log-errors.ts';
import { prefixOf } from '../row-keys.ts';
import { ContentReader } from './content-reader.ts';
import { Eraser } from './eraser.ts';
import { watchOwner } from './folder-owner.ts';
import { EmbeddedIndexStorage } from './index-storage.ts';
import { LogReader } from './log-reader.ts';
import { RecentRows } from './recent-rows.ts';
import { RecordCache } from './record-cache.ts';
import { packReplacement } from './replacement.ts';
import { getRow, openStore, type Store } from './store.ts';
import { keysFrom } from './transaction.ts';
import type { WriteQueue } from './write-queue.ts';

export interface EmbeddedLogOptions {
  /** `log/` of the data folder; made if it is not there */
  readonly folder: string;
  /** 32 bytes, derived from the master secret: checkpoints carry an HMAC under it */
  readonly checkpointKey: Uint8Array;
  /** A sync has failed or the writer has died: nothing more is acknowledged until the log is opened again. */
  readonly onFatal?: (reason: string) => void;
  /** Another process has opened the folder: nothing of this one lands any more, and what it remembers grows old. */
  readonly onLost?: () => void;
  /** A group could not be written (disk full); its appends were 'unknown', later ones may go through. */
  readonly onFailure?: (reason: string) => void;
  /** A group of writes is durable, so many seconds after it was handed to the writer. */
  readonly onWritten?: ((seconds: number) => void) | undefined;
}

/** The log over LMDB and content files; index.ts opens it. */
export class EmbeddedLog implements EnclaveLog {
  readonly #recent: RecentRows;
  readonly #store: Store;
  readonly #queue: WriteQueue;
  readonly #contents: ContentReader;
  readonly #reader: LogReader;
  readonly #records: RecordCache;
  readonly #index: IndexReader;
  readonly #checkpoints: CheckpointStore;
  readonly #eraser: Eraser;
  readonly #watch: NodeJS.Timeout;

  /** `applied`: as WriterData.applied */
  constructor(options: EmbeddedLogOptions, queue: WriteQueue, applied: Int32Array) {
    this.#queue = queue;
    this.#recent = new RecentRows(openStore(options.folder), applied);
    this.#store = this.#recent.store;
    this.#contents = new ContentReader(join(options.folder, 'content'));
    this.#reader = new LogReader(this.#store, this.#contents);
    this.#records = new RecordCache(this.#reader, this.#contents);
    this.#index = new IndexReader(new EmbeddedIndexStorage(this.#store, this.#reader, this.#records, queue));
    this.#checkpoints = new CheckpointStore(checkpointRows(this.#store), options.checkpointKey);
    this.#eraser = new Eraser(this.#store, this.#index, this.#records, queue);
    this.#eraser.resume();
    this.#watch = watchOwner(this.#store, () => options.onLost?.());
  }

  /** As WriteQueueOptions.onCommitted. */
  committed(group: number, rows: Uint8Array): void {
    if (rows.length > 0) this.#recent.add(group, asBuffer(rows));
    else this.#recent.settle();
  }

  /** As WriteQueueOptions.onApplied. */
  applied(): void {
    this.#recent.refresh();
  }

  overwritten(ops: number): void {
    this.#eraser.overwritten(ops);
  }

  async guardId(): Promise<Uint8Array | null> {
    const id = this.#reader.guardId();
    return id === null ? null : new Uint8Array(id);
  }

  async adoptGuard(id: Uint8Array): Promise<void> {
    must(await this.#queue.submit({ kind: 'guard', id: new Uint8Array(id) }));
  }

  async open(key: LogKey, owner: Uint8Array, recovering = false): Promise<Opened> {
    if (key.enclave.length !== 32 || owner.length !== 16)
      throw new Error('An enclave id has 32 bytes, an owner nonce 16.');
    // A damaged head is an error to name, not an unknown outcome.
    if (!recovering) this.#reader.head(key);
    must(await this.#queue.submit({ kind: 'open', prefix: prefixOf(key), nonce: new Uint8Array(owner), recovering }));
    const row = this.#reader.head(key);
    if (row === null || Buffer.compare(row.epoch.nonce, owner) !== 0) throw new LogUnavailable('fenced');
    const checkpoint: Checkpoint | null = await this.#checkpoints.latest(key, row.head, row.timestamp, (head) =>
      this.#reader.passed(key, head),
    );
    return { epoch: row.epoch, head: row.head, checkpoint, timestamp: row.timestamp, bytes: row.bytes };
  }

  append(append: Append): void {
    this.#queue.append({
      ...append,
      done: (result) => {
        if (result === 'ok') {
          try {
            this.#index.appended(append.key, append.batch);
          } catch {
            // An index is only an aid: the append stands, and lookups read the records.
            this.#index.release(append.key);
          }
          if (append.deletes.length > 0) this.#eraser.resume();
        }
        append.done(result);
      },
    });
  }

  async owner(key: LogKey): Promise<Epoch | null> {
    return this.#reader.head(key)?.epoch ?? null;
  }

  async head(key: LogKey): Promise<Head | null> {
    return this.#reader.head(key)?.head ?? null;
  }

  async usage(key: LogKey): Promise<Usage | null> {
    const row = this.#reader.head(key);
    return row === null ? null : { events: row.head.seq + 1, bytes: row.bytes };
  }

  async read(key: LogKey, from: number, maxBytes: number): Promise<Batch[]> {
    return this.#reader.batches(key, from, maxBytes);
  }

  async record(key: LogKey, seq: number): Promise<StoredEvent | null> {
    return this.#records.record(key, seq);
  }

  recordNow(key: LogKey, seq: number): StoredEvent | null {
    return this.#records.record(key, seq);
  }

  findId(key: LogKey, id: Uint8Array): Promise<number> {
    return this.#index.find(key, 'id', id);
  }

  findHash(key: LogKey, hash: Uint8Array): Promise<number> {
    return this.#index.find(key, 'hash', hash);
  }

  candidates(key: LogKey, plan: CandidatePlan): Iterable<number | Promise<unknown>> {
    return this.#index.candidates(key, plan);
  }

  async seqAtTime(key: LogKey, time: number): Promise<number> {
    let low = 0;
    let high = (this.#reader.head(key)?.head.seq ?? -1) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const at = this.#records.timestamp(key, middle);
      if (at === null) throw new LogDamaged(key, middle, 'order of the batches');
      if (at >= time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async closing(key: LogKey, index: number): Promise<Uint8Array | null> {
    return this.#reader.closing(key, index);
  }

  async closingOf(key: LogKey, seq: number): Promise<Uint8Array | null> {
    return this.#reader.closingOf(key, seq);
  }

  async node(key: LogKey, level: number, index: number): Promise<Uint8Array | null> {
    return this.#reader.node(key, level, index);
  }

  async checkpoint(key: LogKey, epoch: Epoch, checkpoint: NewCheckpoint): Promise<void> {
    const { put, remove } = await this.#checkpoints.prepare(key, checkpoint);
    must(
      await this.#queue.submitLater({
        kind: 'checkpoint',
        prefix: prefixOf(key),
        epoch,
        seq: checkpoint.head.seq,
        put,
        remove,
      }),
    );
  }

  async archived(key: LogKey): Promise<number> {
    return this.#reader.archived(key);
  }

  moveArchived(key: LogKey, from: number, to: number): Promise<AppendResult> {
    return this.#queue.submitLater({ kind: 'archived', prefix: prefixOf(key), from, to });
  }

  erased(): Promise<void> {
    return this.#eraser.finished();
  }

  release(key: LogKey): void {
    this.#index.release(key);
    this.#records.release(key);
  }

  async replaceTail(
    key: LogKey,
    epoch: Epoch,
    keep: Head,
    batches: readonly Batch[],
    head: Head,
    timestamp: number,
    dueAt: number,
  ): Promise<AppendResult> {
    let reached = keep;
    for (const batch of batches) reached = foldHead(reached, Buffer.from(batch.skeleton));
    if (!sameHead(reached, head)) throw new Error('The batches do not lead from the head that is kept to the new one.');
    const packed = packReplacement(key, epoch, keep, batches, timestamp, dueAt);
    this.#eraser.asked();
    const result = await this.#queue.submit({
      kind: 'replace',
      prefix: prefixOf(key),
      epoch,
      keep,
      timestamp,
      dueAt,
      packed,
      appends: batches.length,
    });
    this.release(key);
    if (result === 'ok') this.#eraser.resume();
    else this.#eraser.overwritten(1);
    return result;
  }

  /** Keeps everything: a single node's disk is its own. */
  async trim(): Promise<number> {
    return 0;
  }

  async due(until: number, limit: number): Promise<{ key: LogKey; dueAt: number }[]> {
    return this.#reader.due(until, limit);
  }

  async list(after: LogKey | null, limit: number): Promise<LogKey[]> {
    return this.#reader.list(after, limit);
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#index.close();
    await this.#queue.close();
    this.#contents.close();
    await this.#store.root.close();
  }
}

function must(result: AppendResult): void {
  if (result !== 'ok') throw new LogUnavailable(result);
}

function checkpointRows({ checkpoints }: Store): CheckpointRows {
  return { keys: (prefix) => keysFrom(checkpoints, prefix, prefix), get: (key) => getRow(checkpoints, key) };
}
