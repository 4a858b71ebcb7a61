import {
  ACCEPTED,
  DUPLICATE,
  type Head,
  IC_TARGET,
  type Kernel,
  type SealedBatch,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { CryptoPool } from '../crypto/crypto.ts';
import type { ReleaseGuard } from '../guard/release-guard.ts';
import type { AppendResult, EnclaveLog, Epoch, LogKey } from '../log/enclave-log.ts';
import type { ShardMetrics } from '../metrics.ts';
import type { SequencerKey } from '../signer/sequencer-key.ts';
import { errorBytes } from './answers.ts';
import { BatchTrace } from './batch-trace.ts';
import { type CheckpointState, Checkpoints } from './checkpoints.ts';
import type { PendingCommit, Waiter } from './commit.ts';
import { DueTimer } from './due-timer.ts';
import type { EnclaveHost } from './enclave-host.ts';
import { emptyBatch, type InFlight } from './in-flight.ts';
import { nameOf } from './name.ts';

/** Batches staged and not yet released (ARCHITECTURE §2). */
const MAX_IN_FLIGHT = 3;
/** Commits that are worth a batch beside one that is under way. A batch costs about 0.4 ms of CPU for its writes and thread
 *  hand-overs, however small: fewer commits wait no longer for the batch before them than for a sync of their own. */
const WORTH_A_BATCH = 16;
/** Commits of one batch (ARCHITECTURE §2). */
const MAX_BATCH = 512;
/** Commits that may wait to be staged; more are `overloaded`. Two full pipelines' worth. */
export const MAX_QUEUE = 4096;

const TYPE_DELETE = TYPES.indexOf('Delete');
const UNAVAILABLE = errorNumber('unavailable');
const INTERNAL = errorNumber('internal');
const FENCED = errorNumber('fenced');
const OVERLOADED = errorNumber('overloaded');
const NO_SIGNATURES = new Uint8Array(0);

export interface ActorModules {
  readonly log: EnclaveLog;
  readonly guard: ReleaseGuard;
  readonly pool: CryptoPool;
  readonly metrics: ShardMetrics | null;
  /** wall clock, ms */
  readonly now: () => number;
  readonly warn: (fields: object, message: string) => void;
  /** the receipt of a released event, from the log */
  readonly receipt: (key: LogKey, seq: number) => Promise<Uint8Array>;
  /** A timer of the process died or a batch was lost: the actor has been dropped and must be forgotten. */
  readonly onDropped: (actor: EnclaveActor) => void;
  /** Called after each release with the new number of events, to count what the enclave holds. */
  readonly onReleased: (actor: EnclaveActor) => void;
  /** Where others may take enclaves over: 0 if the actor is still the owner, else the error that a read answers. */
  readonly confirm: ((actor: EnclaveActor) => Promise<number>) | null;
}

export interface ActorState extends CheckpointState {
  /** performance.now() when the log was asked for its epoch: a replay later others may own the enclave */
  readonly ownedAt: number;
  readonly kernel: Kernel;
  readonly host: EnclaveHost;
  readonly sequencer: SequencerKey | null;
  readonly head: Head;
  /** bytes of the log that this enclave takes, about */
  readonly bytes: number;
}

/**
 * One active enclave: the pipeline of ARCHITECTURE §2. Everything happens in order on one thread; what is in flight
 * is the list `#batches`, oldest first. The effects of a batch, and what a crash right behind each of them means:
 *
 *   stage     state moves on in the kernel's memory only. Crash: nothing happened.
 *   sign      event hashes are signed. Crash: signatures that nobody has seen are lost.
 *   seal      ids, tree heads. Crash: as above.
 *   append    one conditional write. Crash: the events are there, released to nobody; opening the enclave moves the
 *             guard up and they count.
 *   guard     watermark old → new. Crash: the client has no answer, asks again and gets the original receipt.
 *   release   receipts, refusals and reads that saw this state go out.
 *
 * Whatever is refused or unknown on the way drops the actor: later batches stand on a state that may never be.
 */
export class EnclaveActor {
  readonly key: LogKey;
  readonly name: string;
  readonly kernel: Kernel;
  readonly host: EnclaveHost;
  readonly sequencer: SequencerKey | null;
  readonly epoch: Epoch;
  /** performance.now() of the last request, for eviction */
  lastUsed = 0;
  /** what the next commit would meet: STAGE_FULL when a quota is used up */
  quotaFlags = 0;
  /** closed and released bundles that the archive has heard of */
  bundlesTold = 0;
  bytes: number;
  /** reads under way that look into the kernel between two waits (Enclaves.reading) */
  readers = 0;
  /** performance.now(): when it was opened, and when its log was asked last, of those times that it named this owner */
  readonly openedAt = performance.now();
  confirmedAt: number;
  confirming: Promise<void> | null = null;

  readonly #m: ActorModules;
  readonly #ready: PendingCommit[] = [];
  readonly #batches: InFlight[] = [];
  #closing: Waiter[] = [];
  #sealedHead: Head;
  #released: Head;
  #releasedTime: number;
  readonly #checkpoints: Checkpoints;
  #holding = false;
  #dropped = 0;
  readonly #due: DueTimer;

  constructor(state: ActorState, modules: ActorModules) {
    this.key = state.key;
    this.name = nameOf(state.key.enclave);
    this.kernel = state.kernel;
    this.host = state.host;
    this.sequencer = state.sequencer;
    this.epoch = state.epoch;
    this.confirmedAt = state.ownedAt;
    this.bytes = state.bytes;
    this.#sealedHead = state.head;
    this.#released = state.head;
    this.#releasedTime = state.kernel.timestamp;
    this.#checkpoints = new Checkpoints(state, modules);
    this.#m = modules;
    this.#due = new DueTimer(modules.now, () => {
      this.pump();
      this.#arm();
    });
    this.#arm();
  }

  /** The head up to which anything may be shown. */
  get released(): Head {
    return this.#released;
  }

  /** Timestamp of its last event, ms; −1 if there is none. `kernel.timestamp` is that of what may still be in flight. */
  get releasedTime(): number {
    return this.#releasedTime;
  }

  get dropped(): boolean {
    return this.#dropped !== 0;
  }

  /** Nothing is waiting and nothing is in flight: it may be evicted. */
  get idle(): boolean {
    return this.#batches.length === 0 && this.#ready.length === 0 && this.#closing.length === 0;
  }

  /** commits that wait to be staged */
  get waiting(): number {
    return this.#ready.length;
  }

  /** Batches that are sealed but perhaps not in the log yet, for reads that must see them. */
  get unreleased(): readonly InFlight[] {
    return this.#batches;
  }

  /** Takes one commit whose signature has been checked. It is staged by the next `pump`. */
  push(commit: PendingCommit): void {
    if (this.#dropped) return commit.reply(this.#dropped, errorBytes(this.#dropped));
    if (this.#ready.length >= MAX_QUEUE) return commit.reply(OVERLOADED, errorBytes(OVERLOADED));
    this.#ready.push(commit);
  }

  /** Calls back when everything staged so far has been released, with an error number if it was lost. */
  whenReleased(waiter: Waiter): void {
    if (this.#dropped) return waiter(this.#dropped);
    const last = this.#batches.at(-1);
    if (last) last.waiters.push(waiter);
    else waiter(0);
  }

  /**
   * For reads, whose answers may leave once this is 0: everything staged so far has been released, and where others may
   * take the enclave over, the log has said within the last 2 s that nobody has (ARCHITECTURE §3).
   */
  async settled(): Promise<number> {
    const lost = await new Promise<number>((resolve) => this.whenReleased(resolve));
    return lost !== 0 || this.#m.confirm === null ? lost : this.#m.confirm(this);
  }

  /** Closes the open bundle if there is one; calls back when the tree head is released. */
  closeBundle(waiter: Waiter): void {
    if (this.#dropped) return waiter(this.#dropped);
    this.#closing.push(waiter);
    this.pump();
  }

  /** Stages what is waiting, as far as batches may be in flight. */
  pump(): void {
    while (!this.#dropped && !this.#holding && this.#hasRoom() && this.#hasWork()) this.#stage();
  }

  /** Ends the actor without a trace: waiting commits are answered with `error`. For eviction and shutdown it is idle. */
  drop(error: number): void {
    if (this.#dropped) return;
    this.#dropped = error;
    this.#due.clear();
    const body = errorBytes(error);
    for (const batch of this.#batches.splice(0)) {
      batch.trace?.dropped(this.key.enclave, batch, error);
      for (const commit of batch.accepted) commit.reply(error, body);
      for (const { commit } of batch.duplicates) commit.reply(error, body);
      for (const { commit } of batch.refused) commit.reply(error, body);
      for (const waiter of batch.waiters) waiter(error);
    }
    for (const commit of this.#ready.splice(0)) commit.reply(error, body);
    for (const waiter of this.#closing.splice(0)) waiter(error);
    this.#m.onDropped(this);
  }

  #hasRoom(): boolean {
    const { length } = this.#batches;
    return length === 0 || (length < MAX_IN_FLIGHT && this.#ready.length >= WORTH_A_BATCH);
  }

  #hasWork(): boolean {
    return this.#ready.length > 0 || this.#closing.length > 0 || this.#isDue();
  }

  #isDue(): boolean {
    const due = this.kernel.dueAt;
    return due !== 0 && this.sequencer !== null && Math.max(this.#m.now(), this.kernel.timestamp) >= due;
  }

  #stage(): void {
    const batch = emptyBatch();
    this.#batches.push(batch);
    this.#guarded(batch, () => {
      this.#fill(batch);
      batch.trace?.mark('staged');
      this.#sign(batch);
    });
    this.#arm();
  }

  /** Stages commits in the order in which they came. */
  #fill(batch: InFlight): void {
    const { kernel } = this;
    const wantCheckpoint = this.#checkpoints.due(kernel.head().seq);
    const taken = this.#ready.splice(0, MAX_BATCH);
    let next = 0;
    try {
      // Without the key nothing can be closed: time stands still for an enclave that is only read.
      kernel.begin(this.sequencer === null ? 0 : this.#m.now());
      while (next < taken.length && !batch.checkpoint) {
        this.#stageOne(batch, taken[next] as PendingCommit);
        next++;
        batch.checkpoint = wantCheckpoint && batch.accepted.length > 0 && kernel.atBoundary;
      }
    } finally {
      // A full bundle ends the batch of a checkpoint early; a fault of the kernel leaves commits that must be answered.
      if (next < taken.length) this.#ready.unshift(...taken.slice(next));
    }
    if (this.#closing.length > 0 && this.#ready.length === 0) {
      kernel.closeBundle();
      batch.waiters.push(...this.#closing.splice(0));
    }
    batch.checkpoint ||= wantCheckpoint && kernel.atBoundary;
    batch.dueAt = kernel.dueAt;
    if (batch.checkpoint) this.#holding = true;
  }

  #stageOne(batch: InFlight, commit: PendingCommit): void {
    const { kernel } = this;
    if (commit.trace !== null) {
      batch.trace ??= new BatchTrace(batch.stagedAt);
      batch.trace.add(commit.trace);
    }
    const code = kernel.stage(commit.ic, commit.flags | this.quotaFlags);
    if (code === DUPLICATE) batch.duplicates.push({ commit, seq: kernel.seq });
    else if (code !== ACCEPTED) batch.refused.push({ commit, code, detail: kernel.detail });
    else {
      batch.accepted.push(commit);
      const isDelete = commit.ic[7] === TYPE_DELETE && ((commit.ic[6] as number) & IC_TARGET) !== 0;
      if (isDelete) batch.deletes.push(commit.ic.slice(216, 248));
    }
  }

  #sign(batch: InFlight): void {
    const hashes = this.kernel.end();
    const count = hashes.length / 32;
    if (count === 0) {
      batch.signatures = NO_SIGNATURES;
      return this.#seal();
    }
    if (this.sequencer === null) throw new Error('a kernel without a sequencer key staged an event');
    this.sequencer.signMany(this.#m.pool, hashes, count, (signatures) => {
      if (this.#dropped) return;
      if (signatures === null) return this.drop(UNAVAILABLE);
      batch.signatures = signatures;
      batch.trace?.mark('signed');
      this.#guarded(batch, () => this.#seal());
    });
  }

  /** A fault in one kernel ends this enclave's instance, not the process: what is in the log is opened again. */
  #guarded(batch: InFlight, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#m.warn({ err: error, ...batch.trace?.fields }, 'a kernel failed; its enclave is opened again from the log');
      this.drop(INTERNAL);
    }
  }

  /** Seals, first in first out, every batch whose signatures are there, and hands it to the log. */
  #seal(): void {
    for (;;) {
      const batch = this.#batches.find(({ sealed }) => sealed === null);
      if (!batch?.signatures) return;
      batch.trace?.mark('sealing');
      this.host.sealing = true;
      const sealed = this.kernel.seal(batch.signatures);
      this.host.sealing = false;
      batch.trace?.mark('sealed');
      batch.sealed = sealed;
      batch.from = this.#sealedHead;
      this.#sealedHead = sealed.head;
      if (sealed.events > 0 || sealed.closings > 0) this.#checkpoints.appended();
      if (batch.checkpoint) {
        batch.exported = this.#checkpoints.export(this.kernel, sealed.head);
        this.#holding = false;
      }
      if (sealed.events > 0 || sealed.closings > 0) this.#append(batch, sealed);
      else if (batch.refused.length > 0 && this.#m.confirm) void this.#refuse(batch, this.#m.confirm);
      else {
        batch.done = true;
        this.#release();
      }
      if (batch.checkpoint) this.pump();
    }
  }

  /** Refusals with no event beside them are no more than a read: only whoever still owns the enclave may say so. */
  async #refuse(batch: InFlight, confirm: NonNullable<ActorModules['confirm']>): Promise<void> {
    const error = await confirm(this);
    if (this.#dropped) return;
    if (error !== 0) for (const refused of batch.refused) Object.assign(refused, { code: error, detail: '' });
    batch.done = true;
    this.#release();
    this.pump();
  }

  #append(batch: InFlight, sealed: SealedBatch): void {
    this.#m.log.append({
      key: this.key,
      epoch: this.epoch,
      expected: batch.from as Head,
      next: sealed.head,
      batch: sealed,
      timestamp: sealed.timestamp,
      dueAt: batch.dueAt,
      deletes: batch.deletes,
      done: (result) => this.#appended(batch, result),
    });
  }

  #appended(batch: InFlight, result: AppendResult): void {
    if (this.#dropped) return;
    batch.trace?.mark('appended');
    const { sealed, from } = batch;
    if (result !== 'ok' || !sealed || !from) {
      this.#m.metrics?.appendFailures.inc({ result });
      return this.drop(result === 'fenced' ? FENCED : UNAVAILABLE);
    }
    batch.appendedAt = performance.now();
    this.confirmedAt = batch.stagedAt;
    this.#m.metrics?.appendSeconds.observe((batch.appendedAt - batch.stagedAt) / 1000);
    this.#m.guard.advance({
      key: this.key,
      from,
      to: sealed.head,
      done: (outcome) => {
        if (this.#dropped) return;
        batch.trace?.mark('guarded');
        if (outcome !== 'ok') {
          this.#m.metrics?.guardFailures.inc({ result: outcome });
          return this.drop(outcome === 'refused' ? FENCED : UNAVAILABLE);
        }
        batch.done = true;
        this.#release();
        this.pump();
      },
    });
  }

  /** Answers, oldest first, every batch that is durable in log and guard. */
  #release(): void {
    for (let batch = this.#batches[0]; batch?.done && batch.sealed; batch = this.#batches[0]) {
      this.#batches.shift();
      const { sealed } = batch;
      this.#released = sealed.head;
      this.#releasedTime = sealed.timestamp;
      this.bytes += sealed.skeleton.length + sealed.content.length;
      const { receipts, offsets } = sealed;
      batch.trace?.releasing(this.key.enclave, batch);
      const now = performance.now();
      const { metrics } = this.#m;
      for (let i = 0; i < batch.accepted.length; i++) {
        const commit = batch.accepted[i] as PendingCommit;
        metrics?.commitSeconds.observe((now - commit.arrived) / 1000);
        commit.reply(0, receipts.subarray(offsets[i], offsets[i + 1]));
      }
      for (const { commit, seq } of batch.duplicates) this.#replay(batch, commit, seq);
      for (const { commit, code, detail } of batch.refused) commit.reply(code, errorBytes(code, detail));
      batch.trace?.released();
      if (sealed.events > 0) {
        metrics?.batchSize.observe(sealed.events);
        metrics?.guardSeconds.observe((now - batch.appendedAt) / 1000);
        metrics?.events.inc(sealed.events);
      }
      if (sealed.closings > 0) metrics?.bundles.inc(sealed.closings);
      if (batch.exported) void this.#checkpoints.write(batch.exported, sealed.head, sealed.timestamp);
      for (const waiter of batch.waiters) waiter(0);
      this.#m.onReleased(this);
    }
  }

  /** A retry: the receipt is in this batch, or the event is in the log. */
  #replay(batch: InFlight, commit: PendingCommit, seq: number): void {
    this.#m.metrics?.duplicates.inc();
    const sealed = batch.sealed;
    if (sealed && sealed.events > 0 && seq >= sealed.firstSeq) {
      const i = seq - sealed.firstSeq;
      return commit.reply(0, sealed.receipts.subarray(sealed.offsets[i], sealed.offsets[i + 1]));
    }
    this.#m
      .receipt(this.key, seq)
      .then((receipt) => commit.reply(0, receipt))
      .catch(() => commit.reply(UNAVAILABLE, errorBytes(UNAVAILABLE)));
  }

  /** Takes a checkpoint now if it is worth one: called before an idle enclave is evicted. Resolves when it is written. */
  async checkpointBeforeEviction(): Promise<void> {
    if (this.idle) await this.#checkpoints.beforeEviction(this.kernel);
  }

  /** The open bundle is closed when it is due, if there is a key to do it with. */
  #arm(): void {
    this.#due.arm(this.sequencer === null ? 0 : this.kernel.dueAt);
  }
}
