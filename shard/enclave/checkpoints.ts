import type { Head, Kernel } from '../../kernel/kernel.ts';
import type { EnclaveLog, Epoch, LogKey } from '../log/enclave-log.ts';
import type { ShardMetrics } from '../metrics.ts';
import type { Exported } from './in-flight.ts';

/** One is due after so many events, or batches: those cost much of their replay each, whatever is in them. Later when the
 *  state is large, so that writing checkpoints stays a bounded share of writing events: a checkpoint of n bytes is due after
 *  n / 256 events at the earliest (docs/decisions/checkpoints-by-batches.md). */
const CHECKPOINT_EVENTS = 4096;
const CHECKPOINT_BATCHES = 128;
const CHECKPOINT_BYTES_PER_EVENT = 256;
/** Events since the last checkpoint that are worth one before an enclave is put to sleep: fewer are replayed at once. */
const WORTH_ONE = 64;

export interface CheckpointState {
  readonly key: LogKey;
  readonly epoch: Epoch;
  /** seq and size of the last checkpoint, −1 and 0 if there is none */
  readonly checkpointSeq: number;
  readonly checkpointBytes: number;
  /** batches behind it */
  readonly batches: number;
}

/** When an active enclave's state is written to the log, so that opening it replays little. */
export class Checkpoints {
  readonly #key: LogKey;
  readonly #epoch: Epoch;
  readonly #log: EnclaveLog;
  readonly #metrics: ShardMetrics | null;
  #seq: number;
  #bytes: number;
  /** since the last one */
  #batches: number;

  constructor(state: CheckpointState, { log, metrics }: { log: EnclaveLog; metrics: ShardMetrics | null }) {
    this.#key = state.key;
    this.#epoch = state.epoch;
    this.#seq = state.checkpointSeq;
    this.#bytes = state.checkpointBytes;
    this.#batches = state.batches;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** A batch goes to the log. */
  appended(): void {
    this.#batches++;
  }

  /** One is due behind event `seq`, at the next bundle boundary. */
  due(seq: number): boolean {
    const since = seq - this.#seq;
    const enough = since >= CHECKPOINT_EVENTS || this.#batches >= CHECKPOINT_BATCHES;
    return enough && since * CHECKPOINT_BYTES_PER_EVENT >= this.#bytes;
  }

  /** The kernel's state at a boundary, where `head` is its head: to be written once all before it is released. */
  export(kernel: Kernel, head: Head): Exported {
    const recentFrom = this.#seq + 1;
    const exported = { base: kernel.exportBase(), recent: kernel.exportRecents(recentFrom), recentFrom };
    this.#seq = head.seq;
    this.#bytes = exported.base.length;
    this.#batches = 0;
    return exported;
  }

  /** Writes it behind the commits; resolves when that has been tried. A failure costs only time at the next opening. */
  async write(exported: Exported, head: Head, timestamp: number): Promise<void> {
    let recentMaxExp = 0;
    const view = new DataView(exported.recent.buffer, exported.recent.byteOffset, exported.recent.byteLength);
    for (let at = 32; at < view.byteLength; at += 48) {
      recentMaxExp = Math.max(recentMaxExp, Number(view.getBigUint64(at, true)));
    }
    await this.#log.checkpoint(this.#key, this.#epoch, { head, ...exported, recentMaxExp, timestamp }).catch(() => {
      // The next one carries all unexpired hashes again, so that none is missing.
      this.#seq = -1;
      this.#metrics?.checkpointFailures.inc();
    });
  }

  /** Takes one now if it is worth it; resolves when it is written. */
  async beforeEviction(kernel: Kernel): Promise<void> {
    const head = kernel.head();
    if (head.seq - this.#seq < WORTH_ONE || !kernel.atBoundary) return;
    await this.write(this.export(kernel, head), head, kernel.timestamp);
  }
}
