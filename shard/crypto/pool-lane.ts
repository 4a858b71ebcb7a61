import { Worker } from 'node:worker_threads';
import type { Secp256k1 } from './crypto.ts';
import {
  AT_COUNT,
  AT_HASH,
  AT_KEY_SLOT,
  AT_PUB,
  AT_RESULTS,
  AT_SIG,
  createMemory,
  DONE,
  KEY_SLOTS,
  OP_SIGN,
  OP_SIGN_WITH_NEW_KEY,
  OP_VERIFY,
  PUBLISHED,
  RECORD,
  SLOTS,
  STOP,
  slotOffset,
  type WorkerData,
} from './pool-layout.ts';

/** What one caller asked for in one call. */
export interface Call {
  /** 1 byte a job (verify) or 64 (sign), filled as slots come back */
  readonly out: Uint8Array;
  left: number;
  /** own copy, wiped when the call ends; null for verify */
  readonly secret: Uint8Array | null;
  /** of the PoolKey */
  readonly tag: string;
  done: ((out: Uint8Array | null) => void) | null;
}

/** A run of a call's jobs that has not been handed to a worker yet. */
export interface Piece {
  readonly call: Call;
  /** RECORD bytes a job (verify) or 32 (sign) */
  inputs: Uint8Array;
  /** index of the next job within `inputs` and within the call */
  inputAt: number;
  callAt: number;
  count: number;
}

interface Segment {
  readonly call: Call;
  readonly callAt: number;
  readonly slotAt: number;
  readonly count: number;
}

/** The main thread's side of one worker: packs pieces into its ring and takes results out. */
export class PoolLane {
  readonly #memory;
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #worker: Worker;
  /** segments of the slots handed over and not yet collected, oldest first */
  readonly #running: Segment[][] = [];
  /** key tag → key slot in the worker, least recently used first */
  readonly #keys = new Map<string, number>();
  #published = 0;
  #collected = 0;
  /** jobs handed over and not yet collected */
  jobs = 0;

  constructor(backend: Secp256k1['name'], signal: SharedArrayBuffer, onExit: (reason: string) => void) {
    this.#memory = createMemory(signal);
    this.#control = new Int32Array(this.#memory.control);
    this.#bytes = new Uint8Array(this.#memory.slots);
    this.#view = new DataView(this.#memory.slots);
    let reason = '';
    const data: WorkerData = { memory: this.#memory, backend };
    this.#worker = new Worker(new URL('./pool-worker.ts', import.meta.url), { name: 'crypto', workerData: data });
    this.#worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    this.#worker.on('exit', (code) => onExit(reason || `exit code ${code}`));
  }

  get hasRoom(): boolean {
    return this.#running.length < SLOTS;
  }

  /** Packs up to `limit` jobs (≤ SLOT_JOBS) from the front of the queue into one slot and hands it over. */
  hand(queue: Piece[], limit: number): number {
    const slot = slotOffset(this.#published);
    const segments: Segment[] = [];
    let count = 0;
    while (count < limit && queue.length > 0) {
      const piece = queue[0] as Piece;
      const take = Math.min(piece.count, limit - count);
      if (piece.call.secret) this.#packSign(slot, count, piece, take, piece.call.secret);
      else this.#packVerify(slot, count, piece, take);
      segments.push({ call: piece.call, callAt: piece.callAt, slotAt: count, count: take });
      count += take;
      piece.inputAt += take;
      piece.callAt += take;
      piece.count -= take;
      if (piece.count === 0) queue.shift();
    }
    this.#view.setUint32(slot + AT_COUNT, count, true);
    this.#running.push(segments);
    this.jobs += count;
    this.#published = (this.#published + 1) | 0;
    Atomics.store(this.#control, PUBLISHED, this.#published);
    Atomics.notify(this.#control, PUBLISHED);
    return count;
  }

  /** Copies out what the worker has finished; calls that are complete now are appended to `finished`. */
  collect(finished: Call[]): number {
    let jobs = 0;
    for (
      const done = Atomics.load(this.#control, DONE);
      this.#collected !== done;
      this.#collected = (this.#collected + 1) | 0
    ) {
      const slot = slotOffset(this.#collected);
      for (const segment of this.#running.shift() ?? []) {
        const { call, callAt, slotAt, count } = segment;
        if (call.secret) this.#takeSignatures(slot, segment);
        else call.out.set(this.#bytes.subarray(slot + AT_RESULTS + slotAt, slot + AT_RESULTS + slotAt + count), callAt);
        jobs += count;
        call.left -= count;
        if (call.left === 0) finished.push(call);
      }
    }
    this.jobs -= jobs;
    return jobs;
  }

  /** After the worker's death: what it took and did not finish, to be run again. Wipes the shared memory. */
  abandon(): Piece[] {
    const pieces: Piece[] = [];
    let slot = this.#collected;
    for (const segments of this.#running.splice(0)) {
      for (const { call, callAt, slotAt, count } of segments) {
        const from = slotOffset(slot) + slotAt * RECORD;
        const records = this.#bytes.slice(from, from + count * RECORD);
        const inputs = call.secret ? hashesOf(records, count) : records;
        pieces.push({ call, inputs, inputAt: 0, callAt, count });
      }
      slot = (slot + 1) | 0;
    }
    this.jobs = 0;
    this.#bytes.fill(0);
    return pieces;
  }

  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    Atomics.notify(this.#control, PUBLISHED);
  }

  kill(): Promise<number> {
    return this.#worker.terminate();
  }

  #packVerify(slot: number, at: number, piece: Piece, count: number): void {
    const records = piece.inputs.subarray(piece.inputAt * RECORD, (piece.inputAt + count) * RECORD);
    this.#bytes.set(records, slot + at * RECORD);
    this.#bytes.fill(OP_VERIFY, slot + AT_RESULTS + at, slot + AT_RESULTS + at + count);
  }

  #packSign(slot: number, at: number, piece: Piece, count: number, secret: Uint8Array): void {
    const { keySlot, fresh } = this.#keySlot(piece.call.tag);
    for (let i = 0; i < count; i++) {
      const record = slot + (at + i) * RECORD;
      const load = fresh && i === 0;
      this.#bytes[slot + AT_RESULTS + at + i] = load ? OP_SIGN_WITH_NEW_KEY : OP_SIGN;
      this.#view.setUint32(record + AT_KEY_SLOT, keySlot, true);
      if (load) this.#bytes.set(secret, record + AT_PUB);
      const from = (piece.inputAt + i) * 32;
      this.#bytes.set(piece.inputs.subarray(from, from + 32), record + AT_HASH);
    }
  }

  #takeSignatures(slot: number, { call, callAt, slotAt, count }: Segment): void {
    for (let i = 0; i < count; i++) {
      const record = slot + (slotAt + i) * RECORD;
      if (this.#bytes[slot + AT_RESULTS + slotAt + i] !== 1) throw new Error('a crypto worker lost a signing key');
      call.out.set(this.#bytes.subarray(record + AT_SIG, record + RECORD), (callAt + i) * 64);
    }
  }

  #keySlot(tag: string): { keySlot: number; fresh: boolean } {
    let keySlot = this.#keys.get(tag);
    const fresh = keySlot === undefined;
    if (keySlot === undefined) {
      if (this.#keys.size < KEY_SLOTS) keySlot = this.#keys.size;
      else {
        const [oldest, reused] = this.#keys.entries().next().value as [string, number];
        this.#keys.delete(oldest);
        keySlot = reused;
      }
    } else this.#keys.delete(tag);
    this.#keys.set(tag, keySlot);
    return { keySlot, fresh };
  }
}

function hashesOf(records: Uint8Array, count: number): Uint8Array {
  const hashes = new Uint8Array(count * 32);
  for (let i = 0; i < count; i++) hashes.set(records.subarray(i * RECORD + AT_HASH, i * RECORD + AT_SIG), i * 32);
  return hashes;
}
