import { Worker } from 'node:worker_threads';
import { asBuffer } from '../bytes.ts';
import type { Append, AppendResult } from '../enclave-log.ts';
import {
  CODE_UNKNOWN,
  type FromWriter,
  type LaterOp,
  packAppend,
  packedSize,
  RESULTS,
  type ToWriter,
  type WriteOp,
  type WriterData,
} from './writer-messages.ts';

/** Bytes of one group at most: what waits beyond goes into the next one. */
const GROUP_BYTES = 32 * 1024 * 1024;

export interface WriteQueueOptions {
  readonly folder: string;
  /** The writer has died, or a sync failed: everything from now on is unknown, until the log is opened again. */
  readonly onFatal: (reason: string) => void;
  /** a group could not be written, but later ones may be (disk full) */
  readonly onFailure: (reason: string) => void;
  /** a group is durable, so many seconds after it was handed to the thread */
  readonly onWritten?: ((seconds: number) => void) | undefined;
  /** Called before the callbacks of a group, so that what it wrote can be read: as GroupDone's `group` and `rows`. */
  readonly onCommitted: (group: number, rows: Uint8Array) => void;
  /** as WriterData.applied */
  readonly applied: SharedArrayBuffer;
  readonly onErased: (ops: number) => void;
  /** Called before the callbacks of operations that went into LMDB later, so that their rows can be read. */
  readonly onApplied: () => void;
}

/** Hands writes to the writer thread in groups: whatever was queued while the previous group was being synced. */
export class WriteQueue {
  readonly #worker: Worker;
  readonly #options: WriteQueueOptions;
  #appends: Append[] = [];
  #ops: { op: WriteOp; done: (result: AppendResult) => void }[] = [];
  #sent: { appends: Append[]; ops: { op: WriteOp; done: (result: AppendResult) => void }[] } | null = null;
  /** performance.now() when it was */
  #sentAt = 0;
  #scheduled = false;
  readonly #later = new Map<number, (result: AppendResult) => void>();
  #laters = 0;
  #dead = false;
  #closed: Promise<void> | null = null;
  #onClosed: (() => void) | null = null;

  private constructor(worker: Worker, options: WriteQueueOptions) {
    this.#worker = worker;
    this.#options = options;
    worker.on('message', (message: FromWriter) => this.#receive(message));
    worker.on('error', (error) => this.#die(String(error)));
    worker.on('exit', () => {
      this.#die('the writer thread has ended');
      this.#onClosed?.();
    });
  }

  /** Starts the writer and waits until it has taken the folder over. Throws its sentence if it can't. */
  static async start(options: WriteQueueOptions): Promise<WriteQueue> {
    const worker = new Worker(new URL('./writer-thread.ts', import.meta.url), {
      workerData: { folder: options.folder, applied: options.applied } satisfies WriterData,
    });
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (message: FromWriter) => {
        worker.off('error', reject);
        if (message.kind === 'started' && message.error === null) resolve();
        else reject(new Error(message.kind === 'started' ? (message.error ?? '') : 'The log writer did not start.'));
      });
    });
    return new WriteQueue(worker, options);
  }

  append(append: Append): void {
    this.#appends.push(append);
    this.#schedule();
  }

  submit(op: WriteOp): Promise<AppendResult> {
    return new Promise((done) => {
      this.#ops.push({ op, done });
      this.#schedule();
    });
  }

  /** For what no append waits for: it goes into LMDB beside them. What is queued now is written before. */
  submitLater(op: LaterOp): Promise<AppendResult> {
    if (this.#dead) return Promise.resolve('unknown');
    return new Promise((done) => {
      const number = ++this.#laters;
      this.#later.set(number, done);
      this.#worker.postMessage({ kind: 'later', number, op: compact(op) } satisfies ToWriter);
    });
  }

  /** Everything that is queued is written first. */
  close(): Promise<void> {
    this.#closed ??= new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      if (this.#sent === null && this.#appends.length === 0 && this.#ops.length === 0) this.#sayClose();
    });
    return this.#closed;
  }

  #schedule(): void {
    if (this.#sent !== null || this.#scheduled) return;
    this.#scheduled = true;
    // What the same turn of the event loop queues shares the sync.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#sent === null) this.#send();
    });
  }

  #send(): void {
    let bytes = 0;
    let count = 0;
    for (const append of this.#appends) {
      const size = packedSize(append);
      if (count > 0 && bytes + size > GROUP_BYTES) break;
      bytes += size;
      count++;
    }
    const appends = this.#appends.splice(0, count);
    const ops = this.#ops;
    this.#ops = [];
    this.#sent = { appends, ops };
    if (this.#dead) {
      this.#settle(new Uint8Array(appends.length + ops.length).fill(CODE_UNKNOWN));
      return;
    }
    const packed = new ArrayBuffer(bytes);
    const into = asBuffer(new Uint8Array(packed));
    for (let at = 0, i = 0; i < count; i++) at += packAppend(appends[i] as Append, into, at);
    const message: ToWriter = { kind: 'group', packed, appends: count, ops: ops.map((entry) => compact(entry.op)) };
    this.#sentAt = performance.now();
    this.#worker.postMessage(message, [packed]);
  }

  #receive(message: FromWriter): void {
    if (message.kind === 'later') {
      this.#options.onApplied();
      for (const [i, number] of message.numbers.entries())
        this.#settleLater(number, RESULTS[message.codes[i] ?? CODE_UNKNOWN] ?? 'unknown');
    }
    if (message.kind === 'erased') this.#options.onErased(message.ops);
    if (message.kind === 'failed') {
      if (message.fatal) this.#die(message.error);
      else this.#options.onFailure(message.error);
    }
    if (message.kind !== 'done' || this.#sent === null) return;
    if (message.error === null) {
      this.#options.onWritten?.((performance.now() - this.#sentAt) / 1000);
      this.#options.onCommitted(message.group, message.rows);
    } else if (!message.fatal) this.#options.onFailure(message.error);
    if (message.fatal) this.#die(message.error ?? 'the log has failed');
    this.#settle(message.codes);
  }

  #settle(codes: Uint8Array): void {
    const sent = this.#sent;
    this.#sent = null;
    if (sent === null) return;
    // The next group is on its way before the callbacks of this one run.
    if (this.#appends.length > 0 || this.#ops.length > 0) this.#send();
    const result = (i: number): AppendResult => RESULTS[codes[i] ?? CODE_UNKNOWN] ?? 'unknown';
    for (const [i, append] of sent.appends.entries()) append.done(result(i));
    for (const [i, entry] of sent.ops.entries()) entry.done(result(sent.appends.length + i));
    if (this.#closed !== null && this.#sent === null) this.#sayClose();
  }

  #settleLater(number: number, result: AppendResult): void {
    const done = this.#later.get(number);
    this.#later.delete(number);
    done?.(result);
  }

  #sayClose(): void {
    if (this.#dead) {
      this.#onClosed?.();
      void this.#worker.terminate();
    } else this.#worker.postMessage({ kind: 'close' } satisfies ToWriter);
  }

  #die(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    if (this.#closed === null) this.#options.onFatal(reason);
    for (const number of [...this.#later.keys()]) this.#settleLater(number, 'unknown');
    if (this.#sent !== null)
      this.#settle(new Uint8Array(this.#sent.appends.length + this.#sent.ops.length).fill(CODE_UNKNOWN));
  }
}

/** The same with byte arrays of their own: a message copies the whole memory that a view looks at. */
function compact<T>(value: T): T {
  if (value instanceof Uint8Array)
    return (value.byteLength * 2 >= value.buffer.byteLength ? value : new Uint8Array(value)) as T;
  if (Array.isArray(value)) return value.map(compact) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, compact(field)])) as T;
}
