import { mkdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Head } from '../../kernel/kernel.ts';
import type { LogKey } from '../log/enclave-log.ts';
import { writeHead } from '../log/head-bytes.ts';
import { GuardUnavailable } from './guard-errors.ts';
import {
  type FromGuardWriter,
  GUARD_CALL,
  GUARD_OK,
  GUARD_RESULTS,
  GUARD_UNKNOWN,
  type GuardDone,
  type GuardResult,
  type GuardWriterData,
  type ToGuardWriter,
} from './guard-messages.ts';
import { decodeWatermark, type GuardStore, guardId, openGuardStore } from './guard-store.ts';
import type { Advance, ReleaseGuard } from './release-guard.ts';

export interface FileGuardOptions {
  /** `guard/` of the data folder, which may be on another volume than the log; made if it is not there */
  readonly folder: string;
  /** A sync has failed: every further call is 'unknown' until the guard is opened again. */
  readonly onFatal?: (reason: string) => void;
  /** Another process has opened the folder: nothing of this one lands any more. Instead of onFatal. */
  readonly onLost?: () => void;
  /** a group of calls could not be written (disk full); later ones may be */
  readonly onFailure?: (reason: string) => void;
  /** a group of calls is durable, so many seconds after it was handed to the thread */
  readonly onWritten?: ((seconds: number) => void) | undefined;
}

/** Opens the guard, or makes a new one with a new random id. Rejects with a sentence if the folder can't be used. */
export async function openFileGuard(options: FileGuardOptions): Promise<ReleaseGuard> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const applied = new SharedArrayBuffer(4);
  const worker = new Worker(new URL('./guard-thread.ts', import.meta.url), {
    workerData: { folder: options.folder, applied } satisfies GuardWriterData,
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: FromGuardWriter) => {
      worker.off('error', reject);
      if (message.kind === 'started' && message.error === null) resolve();
      else reject(new Error(message.kind === 'started' ? (message.error ?? '') : 'The guard writer did not start.'));
    });
  });
  const store = openGuardStore(options.folder);
  try {
    return new FileGuard(worker, store, new Int32Array(applied), options);
  } catch (error) {
    await worker.terminate();
    await store.root.close();
    throw error;
  }
}

interface Call {
  readonly key: LogKey;
  readonly from: Head | null;
  readonly to: Head;
  readonly done: (result: GuardResult) => void;
}

/** The guard over LMDB in a folder of its own. Reads are synchronous; writes go to a thread in groups, one sync each. */
class FileGuard implements ReleaseGuard {
  readonly id: Uint8Array;
  readonly #worker: Worker;
  readonly #store: GuardStore;
  readonly #options: FileGuardOptions;
  readonly #applied: Int32Array;
  /** watermarks that may not be in LMDB yet, by key (latin1), in the order of their groups */
  readonly #recent = new Map<string, { readonly head: Head; readonly group: number }>();
  #queue: Call[] = [];
  #sent: Call[] | null = null;
  /** performance.now() when it was */
  #sentAt = 0;
  #scheduled = false;
  #dead = false;
  #closing: Promise<void> | null = null;
  #onClosed: (() => void) | null = null;

  constructor(worker: Worker, store: GuardStore, applied: Int32Array, options: FileGuardOptions) {
    this.#applied = applied;
    this.#worker = worker;
    this.#store = store;
    this.#options = options;
    this.id = guardId(store);
    worker.on('message', (message: FromGuardWriter) => this.#receive(message));
    worker.on('error', (error) => this.#die(String(error)));
    worker.on('exit', () => {
      this.#die('the guard writer thread has ended');
      this.#onClosed?.();
    });
  }

  async read(key: LogKey): Promise<Head | null> {
    const rowKey = keyBytes(key);
    this.#settled();
    const recent = this.#recent.get(rowKey.toString('latin1'));
    if (recent !== undefined) return recent.head;
    const row = this.#store.watermarks.getBinary(rowKey);
    return row === undefined ? null : decodeWatermark(rowKey, row);
  }

  async create(key: LogKey, head: Head): Promise<boolean> {
    const result = await new Promise<GuardResult>((done) => this.#push({ key, from: null, to: head, done }));
    if (result === 'unknown') throw new GuardUnavailable('The guard could not be written: the outcome is unknown.');
    return result === 'ok';
  }

  advance(advance: Advance): void {
    this.#push(advance);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      if (this.#sent === null && this.#queue.length === 0) this.#sayClose();
    }).then(() => this.#store.root.close());
    return this.#closing;
  }

  #push(call: Call): void {
    this.#queue.push(call);
    if (this.#sent !== null || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#sent === null) this.#send();
    });
  }

  #send(): void {
    const calls = this.#queue;
    this.#queue = [];
    this.#sent = calls;
    if (this.#dead) {
      this.#settle(new Uint8Array(calls.length).fill(GUARD_UNKNOWN));
      return;
    }
    const packed = new ArrayBuffer(calls.length * GUARD_CALL);
    const bytes = Buffer.from(packed);
    calls.forEach((call, i) => {
      const at = i * GUARD_CALL;
      bytes.set(keyBytes(call.key), at);
      bytes[at + 36] = call.from === null ? 1 : 0;
      if (call.from !== null) writeHead(bytes, call.from, at + 40);
      writeHead(bytes, call.to, at + 120);
    });
    this.#sentAt = performance.now();
    this.#worker.postMessage({ kind: 'group', packed } satisfies ToGuardWriter, [packed]);
  }

  #receive(message: FromGuardWriter): void {
    if (message.kind !== 'done' || this.#sent === null) return;
    if (message.error === null) this.#options.onWritten?.((performance.now() - this.#sentAt) / 1000);
    else if (!message.fatal) this.#options.onFailure?.(message.error);
    this.#remember(this.#sent, message);
    if (message.lost && !this.#dead) {
      this.#dead = true;
      this.#options.onLost?.();
    } else if (message.fatal) this.#die(message.error ?? 'the guard has failed');
    this.#settle(message.codes);
  }

  #remember(calls: readonly Call[], { codes, group }: GuardDone): void {
    this.#settled();
    for (const [i, { key, to }] of calls.entries()) {
      if (codes[i] !== GUARD_OK) continue;
      const name = keyBytes(key).toString('latin1');
      this.#recent.delete(name);
      this.#recent.set(name, { head: to, group });
    }
  }

  /** What the writer has put into LMDB is read there. */
  #settled(): void {
    const applied = Atomics.load(this.#applied, 0);
    let dropped = false;
    for (const [name, { group }] of this.#recent) {
      if (((applied - group) | 0) < 0) break;
      this.#recent.delete(name);
      dropped = true;
    }
    if (dropped) this.#store.root.resetReadTxn();
  }

  #settle(codes: Uint8Array): void {
    const sent = this.#sent;
    this.#sent = null;
    if (sent === null) return;
    // The next group is on its way before the callbacks of this one run.
    if (this.#queue.length > 0) this.#send();
    for (const [i, call] of sent.entries()) call.done(GUARD_RESULTS[codes[i] ?? GUARD_UNKNOWN] ?? 'unknown');
    if (this.#closing !== null && this.#sent === null) this.#sayClose();
  }

  #sayClose(): void {
    if (this.#dead) {
      this.#onClosed?.();
      void this.#worker.terminate();
    } else this.#worker.postMessage({ kind: 'close' } satisfies ToGuardWriter);
  }

  #die(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    if (this.#closing === null) this.#options.onFatal?.(reason);
    if (this.#sent !== null) this.#settle(new Uint8Array(this.#sent.length).fill(GUARD_UNKNOWN));
  }
}

function keyBytes(key: LogKey): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.set(key.enclave, 0);
  bytes.writeUInt32BE(key.lane, 32);
  return bytes;
}
