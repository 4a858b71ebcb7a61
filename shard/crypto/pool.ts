import { availableParallelism } from 'node:os';
import { isSecretKey } from './backend.ts';
import type { CryptoPool, Secp256k1 } from './crypto.ts';
import { openSecp256k1 } from './open.ts';
import type { PoolKey } from './pool-key.ts';
import { type Call, type Piece, PoolLane } from './pool-lane.ts';
import { RECORD, SLOT_JOBS } from './pool-layout.ts';

export interface PoolOptions {
  /** worker threads; default min(2, cores) */
  readonly workers?: number;
  /** default: the best available */
  readonly backend?: Secp256k1['name'];
  /** A worker died and was replaced; its jobs run again. */
  readonly onWorkerDeath?: (reason: string) => void;
}

/** Below this many waiting jobs a batch stays whole: tearing it apart costs more than a second core gains. */
const WORTH_SPLITTING = 32;
/** So many jobs are handed over at once, although more may follow in this turn. */
const WORTH_WAKING = 16;
/** Deaths in a row, with nothing finished between them, after which the pool gives up and answers null. */
const MAX_DEATHS = 5;
/** How long close() waits for a worker to leave by itself. */
const CLOSE_MS = 2000;

/**
 * Starts the pool (ARCHITECTURE §8). What the contract leaves open:
 * - inputs are copied before the call returns; the caller may reuse its buffers (and wipe its secret) at once;
 * - `done` never runs inside the call that submitted the batch, and must not throw;
 * - the queue has no bound of its own: whoever admits work looks at `pending`;
 * - wrong sizes and secrets out of range throw at once.
 */
export function openCryptoPool(options: PoolOptions = {}): WorkerPool {
  return new WorkerPool(options);
}

export class WorkerPool implements CryptoPool {
  readonly backend: Secp256k1['name'];
  readonly workers: number;
  readonly #lanes: PoolLane[];
  readonly #exits: Promise<void>[] = [];
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));
  readonly #queue: Piece[] = [];
  readonly #calls = new Set<Call>();
  readonly #onWorkerDeath: (reason: string) => void;
  #waiting = 0;
  /** callbacks run, which may submit more */
  #collecting = false;
  #deaths = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.backend = options.backend ?? openSecp256k1().name;
    this.workers = options.workers ?? Math.min(2, availableParallelism());
    this.#onWorkerDeath = options.onWorkerDeath ?? (() => {});
    this.#lanes = Array.from({ length: this.workers }, (_, index) => this.#startLane(index));
    this.#listen();
  }

  get pending(): number {
    return this.#closed ? 0 : this.#lanes.reduce((jobs, lane) => jobs + lane.jobs, this.#waiting);
  }

  verify(inputs: Uint8Array, count: number, done: (results: Uint8Array | null) => void): void {
    if (inputs.length < count * RECORD) throw new RangeError(`${count} verifications need ${count * RECORD} bytes`);
    this.#submit({ out: new Uint8Array(count), left: count, secret: null, tag: '', done }, inputs, RECORD);
  }

  sign(key: PoolKey, hashes: Uint8Array, count: number, done: (signatures: Uint8Array | null) => void): void {
    const { secret, tag } = key;
    if (!isSecretKey(secret)) throw new RangeError('a secret key is 32 bytes, 0 < key < n');
    if (hashes.length < count * 32) throw new RangeError(`${count} signatures need ${count * 32} bytes of hashes`);
    this.#submit(
      { out: new Uint8Array(count * 64), left: count, secret: Uint8Array.from(secret), tag, done },
      hashes,
      32,
    );
  }

  async close(): Promise<void> {
    this.#abort();
    const deadline = setTimeout(() => {
      for (const lane of this.#lanes) void lane.kill();
    }, CLOSE_MS);
    await Promise.all(this.#exits);
    clearTimeout(deadline);
  }

  /** Ends one worker as a crash would: the fault tests' way in. */
  async killWorker(index: number): Promise<void> {
    await this.#lanes[index]?.kill();
  }

  #submit(call: Call, inputs: Uint8Array, stride: number): void {
    if (this.#closed || call.left === 0) {
      const closed = this.#closed;
      queueMicrotask(() => finish(call, closed ? null : call.out));
      return;
    }
    const piece: Piece = { call, inputs, inputAt: 0, callAt: 0, count: call.left };
    this.#calls.add(call);
    this.#queue.push(piece);
    this.#waiting += piece.count;
    if (!this.#collecting || this.#waiting >= WORTH_WAKING) this.#pump();
    if (piece.count > 0) {
      piece.inputs = Uint8Array.from(inputs.subarray(piece.inputAt * stride, (piece.inputAt + piece.count) * stride));
      piece.inputAt = 0;
    }
  }

  /** Hands waiting jobs to the workers that have room, the least busy first, in slots of about equal size. */
  #pump(): void {
    while (this.#waiting > 0) {
      let idlest: PoolLane | null = null;
      for (const lane of this.#lanes) if (lane.hasRoom && (!idlest || lane.jobs < idlest.jobs)) idlest = lane;
      if (!idlest) return;
      const parts = Math.max(1, Math.min(this.workers, Math.floor(this.#waiting / WORTH_SPLITTING)));
      this.#waiting -= idlest.hand(this.#queue, Math.min(SLOT_JOBS, Math.ceil(this.#waiting / parts)));
    }
  }

  /** One wake-up a time for whatever has finished meanwhile; other events of the process get their turn between two. */
  #listen(): void {
    const before = Atomics.load(this.#signal, 0);
    this.#collect();
    if (this.#closed) return;
    const next = Atomics.waitAsync(this.#signal, 0, before);
    if (next.async) void next.value.then(() => this.#listen());
    else setImmediate(() => this.#listen());
  }

  #collect(): void {
    if (this.#closed) return;
    const finished: Call[] = [];
    let jobs = 0;
    for (const lane of this.#lanes) jobs += lane.collect(finished);
    if (jobs > 0) this.#deaths = 0;
    this.#pump(); // first: the workers go on while the callbacks run
    // What has been verified together is mostly signed next: one hand-over for all of it, not a wake-up for each.
    this.#collecting = true;
    for (const call of finished) {
      this.#calls.delete(call);
      finish(call, call.out);
    }
    this.#collecting = false;
    this.#pump();
  }

  #startLane(index: number): PoolLane {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exits[index] = promise;
    const lane = new PoolLane(this.backend, this.#signal.buffer as SharedArrayBuffer, (reason) => {
      resolve();
      if (this.#closed) lane.abandon();
      else this.#replace(index, reason);
    });
    return lane;
  }

  /** A death loses nothing: finished slots are collected, the rest goes back to the front of the queue. */
  #replace(index: number, reason: string): void {
    this.#collect();
    if (this.#closed) return;
    const pieces = (this.#lanes[index] as PoolLane).abandon();
    this.#queue.unshift(...pieces);
    for (const piece of pieces) this.#waiting += piece.count;
    if (++this.#deaths > MAX_DEATHS) return this.#abort();
    this.#lanes[index] = this.#startLane(index);
    this.#onWorkerDeath(reason);
    this.#pump();
  }

  /** Answers everything with null and lets the workers go. */
  #abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const lane of this.#lanes) lane.stop();
    this.#queue.length = 0;
    this.#waiting = 0;
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const call of calls) finish(call, null);
    Atomics.add(this.#signal, 0, 1);
    Atomics.notify(this.#signal, 0);
  }
}

function finish(call: Call, out: Uint8Array | null): void {
  call.secret?.fill(0);
  const { done } = call;
  call.done = null;
  try {
    done?.(out);
  } catch (error) {
    queueMicrotask(() => {
      throw error; // a caller's bug ends the process as any other would, and no other caller's answer with it
    });
  }
}
