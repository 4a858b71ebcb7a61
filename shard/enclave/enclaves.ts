import type { Head } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { Epoch, LogKey } from '../log/enclave-log.ts';
import { LogDamaged } from '../log/log-errors.ts';
import type { Signer } from '../signer/signer.ts';
import { type ActorModules, type ActorState, EnclaveActor } from './actor.ts';
import { EnclaveRegressed, type HydrateModules, hydrate } from './hydrate.ts';
import { nameOf } from './name.ts';

const UNAVAILABLE = errorNumber('unavailable');
const NOT_FOUND = errorNumber('enclave_not_found');
const REGRESSED = errorNumber('enclave_regressed');
const FENCED = errorNumber('fenced');
const OVERLOADED = errorNumber('overloaded');

/** Callers that may wait for one enclave to open. */
const MAX_OPENING_WAITERS = 8192;
/** How often sleeping enclaves with a due bundle are looked for, and how many are awake for it at the same time: waves of
 *  so many close a few thousand bundles per second, and commits wait for no more than one of them. */
const DUE_EVERY_MS = 500;
const WAVE = 32;
/** Due enclaves that are looked through for a wave, at most: those of other shards stand among them. */
const LOOKED_THROUGH = 16_384;
/** How long a wave may take until the next one goes ahead without it, ms. */
const WAVE_MS = 10_000;
/** An idle enclave whose bundle is due so soon stays awake for it: opening it again costs more than its memory, ms. */
const SOON_MS = 10_000;
/** How long one that could not be woken is left alone, ms. */
const PASS_OVER_MS = 60_000;
/** Regressed enclaves that are remembered as told of. */
const MAX_REPORTED = 10_000;
/** How long a drain waits for checkpoints to be written, ms. */
const CHECKPOINTS_MS = 5000;
/** How often idle enclaves are looked for. */
const SWEEP_EVERY_MS = 5000;

export interface EnclavesOptions {
  /** active enclaves at most (ARCHITECTURE §8: V8 reserves address space for each WASM memory) */
  readonly maxActive: number;
  /** bytes of kernel memory that active enclaves may hold together */
  readonly maxActiveBytes: number;
  /** an enclave without a request for so long is put to sleep, ms */
  readonly idleAfter: number;
  readonly expWindow: number;
  /** a head so far ahead of the clock raises the alarm, ms */
  readonly clockSkewAlarm: number;
}

export type Opened = (actor: EnclaveActor | null, error: number) => void;

export interface EnclavesModules
  extends Omit<ActorModules, 'onDropped' | 'onReleased'>,
    Omit<HydrateModules, 'expWindow' | 'log' | 'guard'> {
  readonly signer: Signer;
  /** sets quota flags of an actor after each release */
  readonly onReleased: (actor: EnclaveActor) => void;
  readonly warn: (fields: object, message: string) => void;
  /** null where nobody else may open what this process does */
  readonly cluster: ClusterHooks | null;
}

/** What a shard of a cluster does besides (shard/ownership). */
export interface ClusterHooks {
  /** May this shard open the enclave of its own accord, because a bundle of it is due? */
  readonly mayWake: (enclave: Uint8Array) => boolean;
  /** May this shard open the enclave, though that takes it from whoever has it open (the owner of its last epoch)? */
  readonly mayOpen: (enclave: Uint8Array, owner: Epoch | null) => boolean;
  readonly opened: (actor: EnclaveActor) => void;
}

/** The active enclaves of this process: opened on demand, evicted least recently used first. */
export class Enclaves {
  readonly #o: EnclavesOptions;
  readonly #m: EnclavesModules;
  readonly #actors: ActorModules;
  /** by raw id (latin1), least recently used first */
  readonly #active = new Map<string, EnclaveActor>();
  readonly #opening = new Map<string, Opened[]>();
  /** regressed enclaves that the log has told of: once each, however often clients ask */
  readonly #reported = new Set<string>();
  /** due enclaves that could not be woken, and until when they are passed over (performance.now()) */
  readonly #passed = new Map<string, number>();
  readonly #timers: NodeJS.Timeout[];
  #waking = false;
  #closed = false;

  constructor(options: EnclavesOptions, modules: EnclavesModules) {
    this.#o = options;
    this.#m = modules;
    this.#actors = {
      log: modules.log,
      guard: modules.guard,
      pool: modules.pool,
      metrics: modules.metrics,
      now: modules.now,
      receipt: modules.receipt,
      warn: modules.warn,
      onReleased: modules.onReleased,
      onDropped: (actor) => this.#forget(actor),
      confirm: modules.confirm,
    };
    this.#timers = [
      setInterval(() => void this.#wakeDue(), DUE_EVERY_MS),
      setInterval(() => this.#sweep(), SWEEP_EVERY_MS),
    ];
  }

  get active(): number {
    return this.#active.size;
  }

  /** enclaves that are being opened */
  get opening(): number {
    return this.#opening.size;
  }

  /** commits that wait to be staged, of all enclaves */
  get waiting(): number {
    let commits = 0;
    for (const actor of this.#active.values()) commits += actor.waiting;
    return commits;
  }

  /** batches staged and not yet released, of all enclaves */
  get inFlight(): number {
    let batches = 0;
    for (const actor of this.#active.values()) batches += actor.unreleased.length;
    return batches;
  }

  get memory(): number {
    let bytes = 0;
    for (const actor of this.#active.values()) bytes += actor.kernel.memory;
    return bytes;
  }

  /** True if the enclave is active, or about to be. */
  has(name: string): boolean {
    return this.#active.has(name) || this.#opening.has(name);
  }

  actors(): IterableIterator<EnclaveActor> {
    return this.#active.values();
  }

  /** The actor if the enclave is active. */
  get(name: string): EnclaveActor | undefined {
    const actor = this.#active.get(name);
    if (actor) this.#touch(name, actor);
    return actor;
  }

  /** The actor, opened if need be; `enclave_not_found` if there is no such log. */
  open(enclave: Uint8Array, opened: Opened): void {
    const name = nameOf(enclave);
    const actor = this.get(name);
    if (actor) return opened(actor, 0);
    if (this.#closed) return opened(null, UNAVAILABLE);
    const waiting = this.#opening.get(name);
    if (waiting) {
      if (waiting.length >= MAX_OPENING_WAITERS) return opened(null, OVERLOADED);
      waiting.push(opened);
      return;
    }
    this.#opening.set(name, [opened]);
    const key = { enclave: enclave.slice(), lane: 0 };
    void this.#open(key, name);
  }

  /** Promise form of `open`, for everything but the hot path. Rejects with the error number. */
  async actor(enclave: Uint8Array): Promise<EnclaveActor | number> {
    return new Promise((resolve) => this.open(enclave, (actor, error) => resolve(actor ?? error)));
  }

  /**
   * Runs `read` on the actor, at once when it is there. Until it ends the enclave is not put to sleep, so its kernel may
   * be looked at between two waits; it may still be lost (`EnclaveActor.dropped`). `failed`: if it can't be opened.
   */
  reading<T>(enclave: Uint8Array, read: (actor: EnclaveActor) => Promise<T>, failed: (error: number) => T): Promise<T> {
    return new Promise((resolve) =>
      this.open(enclave, (actor, error) => {
        if (!actor) return resolve(failed(error));
        actor.readers++;
        resolve(read(actor).finally(() => actor.readers--));
      }),
    );
  }

  /** Takes a newly created or restored enclave in. */
  adopt(state: ActorState): EnclaveActor {
    const actor = new EnclaveActor(state, this.#actors);
    this.#reported.delete(actor.name);
    this.#makeRoom();
    this.#active.set(actor.name, actor);
    this.#touch(actor.name, actor);
    this.#m.onReleased(actor);
    this.#m.cluster?.opened(actor);
    return actor;
  }

  /** Puts an idle actor to sleep, for another shard to go on with: with a checkpoint, if it is worth one. */
  letGo(actor: EnclaveActor): void {
    void this.#evict(actor);
  }

  /** Puts an idle enclave to sleep at once (restore and recovery replace it). */
  sleep(enclave: Uint8Array): void {
    const actor = this.#active.get(nameOf(enclave));
    actor?.drop(UNAVAILABLE);
  }

  /** Stops opening, waits until everything in flight is released or `deadline` (ms) is over, takes checkpoints. */
  async drain(deadline: number): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    const settled = [...this.#active.values()].map(
      (actor) => new Promise<void>((resolve) => actor.whenReleased(() => resolve())),
    );
    const timeout = AbortSignal.timeout(deadline);
    await Promise.race([Promise.all(settled), new Promise((resolve) => timeout.addEventListener('abort', resolve))]);
    const written = [...this.#active.values()].map((actor) => this.#evict(actor));
    // A store that is away has no checkpoint: the next opening replays more.
    await Promise.race([Promise.all(written), new Promise((resolve) => setTimeout(resolve, CHECKPOINTS_MS).unref())]);
  }

  async #open(key: LogKey, name: string): Promise<void> {
    let actor: EnclaveActor | null = null;
    let error = 0;
    try {
      const { cluster } = this.#m;
      const [head, owner] = await Promise.all([this.#m.log.head(key), cluster ? this.#m.log.owner(key) : null]);
      if (this.#closed) error = UNAVAILABLE;
      else if (!head || head.seq < 0) error = await this.#missing(key, head);
      else if (cluster && !cluster.mayOpen(key.enclave, owner)) error = FENCED;
      else actor = this.adopt(await this.#hydrate(key));
    } catch (cause) {
      error = this.#explain(key, cause);
    }
    const waiting = this.#opening.get(name) ?? [];
    this.#opening.delete(name);
    for (const opened of waiting) opened(actor, error);
    actor?.pump();
  }

  /** No events in the log: unknown, unless something was released once. */
  async #missing(key: LogKey, _head: Head | null): Promise<number> {
    const row = await this.#m.guard.read(key);
    return row && row.seq >= 0 ? this.#regressed(key, 'its log is empty') : NOT_FOUND;
  }

  async #hydrate(key: LogKey): Promise<ActorState> {
    const started = performance.now();
    const found = await this.#m.signer.lookup(key.enclave);
    const sequencer = found?.key ?? null;
    const params = {
      enclave: key.enclave,
      lane: key.lane,
      expWindow: this.#o.expWindow,
      ...(sequencer ? { sequencer: sequencer.public } : {}),
      ...(found?.provisioned ? { provisioned: found.creator ? { creator: found.creator } : {} } : {}),
    };
    const state = await hydrate(key, sequencer, params, { ...this.#m, expWindow: this.#o.expWindow });
    const ahead = state.kernel.timestamp - this.#m.now();
    if (ahead > this.#o.clockSkewAlarm) {
      this.#m.metrics?.clockSkew.inc();
      this.#m.warn({ aheadMs: ahead }, 'an enclave is ahead of this clock: check the time of this machine');
    }
    this.#m.metrics?.hydrateSeconds.observe((performance.now() - started) / 1000);
    return state;
  }

  #explain(key: LogKey, cause: unknown): number {
    if (cause instanceof EnclaveRegressed) return this.#regressed(key, cause.why);
    this.#m.metrics?.openFailures.inc();
    const damaged = cause instanceof LogDamaged;
    this.#m.warn(
      {
        enclave: Buffer.from(key.enclave).toString('hex'),
        error: cause instanceof Error ? cause.message : String(cause),
      },
      damaged
        ? 'the log of an enclave is damaged: `enc admin recover` puts it back from a copy'
        : 'an enclave could not be opened',
    );
    return damaged ? REGRESSED : UNAVAILABLE;
  }

  #regressed(key: LogKey, why: string): number {
    this.#m.metrics?.regressed.inc();
    const name = nameOf(key.enclave);
    if (this.#reported.has(name)) return REGRESSED;
    if (this.#reported.size < MAX_REPORTED) this.#reported.add(name);
    this.#m.warn(
      { enclave: Buffer.from(key.enclave).toString('hex'), why },
      'enclave regressed: `enc admin recover` puts it back from a copy',
    );
    return REGRESSED;
  }

  #touch(name: string, actor: EnclaveActor): void {
    const now = performance.now();
    // Moving an entry to the end for every commit would cost more than the order is worth.
    if (now - actor.lastUsed < 1000 && actor.lastUsed !== 0) return;
    actor.lastUsed = now;
    this.#active.delete(name);
    this.#active.set(name, actor);
  }

  #forget(actor: EnclaveActor): void {
    if (this.#active.get(actor.name) === actor) this.#active.delete(actor.name);
    this.#m.log.release(actor.key);
    if (actor.sequencer) this.#m.signer.release(actor.sequencer);
  }

  /** Resolves when its checkpoint is written. */
  #evict(actor: EnclaveActor): Promise<void> {
    const written = actor.checkpointBeforeEviction();
    const free = isFree(actor);
    actor.drop(UNAVAILABLE);
    if (free) actor.kernel.dispose();
    this.#m.metrics?.evictions.inc();
    return written;
  }

  #makeRoom(): void {
    if (this.#active.size < this.#o.maxActive) return;
    for (const actor of this.#active.values()) {
      if (!isFree(actor)) continue;
      void this.#evict(actor);
      if (this.#active.size < this.#o.maxActive) return;
    }
  }

  #sweep(): void {
    const before = performance.now() - this.#o.idleAfter;
    const soon = this.#m.now() + SOON_MS;
    let over = this.memory - this.#o.maxActiveBytes;
    for (const actor of this.#active.values()) {
      if (actor.lastUsed >= before && over <= 0) break;
      if (!isFree(actor)) continue;
      const { dueAt, memory } = actor.kernel;
      if (over <= 0 && dueAt !== 0 && dueAt <= soon && actor.sequencer !== null) continue;
      over -= memory;
      void this.#evict(actor);
    }
  }

  /**
   * Opens enclaves that sleep with a bundle that is due, wave after wave until there is none; opening stages the closing.
   * Those that can't be opened, or can't be closed because their key is not here, stay due: they are passed over for a
   * while, or they would hide the others.
   */
  async #wakeDue(): Promise<void> {
    if (this.#waking) return;
    this.#waking = true;
    try {
      while (!this.#closed) {
        const wave = await this.#asleepAndDue();
        if (wave.length === 0) return;
        const late = AbortSignal.timeout(WAVE_MS);
        const all = Promise.all(wave.map((key) => this.#closeAsleep(key)));
        await Promise.race([all, new Promise((resolve) => late.addEventListener('abort', resolve))]);
      }
    } finally {
      this.#waking = false;
    }
  }

  /** The next wave. Other shards' due enclaves, and those that are passed over, do not hide what stands behind them. */
  async #asleepAndDue(): Promise<LogKey[]> {
    const now = performance.now();
    for (const [name, until] of this.#passed) if (until <= now) this.#passed.delete(name);
    for (let limit = WAVE + this.#passed.size; ; limit *= 4) {
      const due = await this.#m.log.due(this.#m.now(), limit).catch(() => []);
      const asleep = due.map(({ key }) => key).filter((key) => this.#isToWake(key));
      if (asleep.length >= WAVE || due.length < limit || limit >= LOOKED_THROUGH) return asleep.slice(0, WAVE);
    }
  }

  #isToWake({ enclave }: LogKey): boolean {
    const name = nameOf(enclave);
    if (this.#passed.has(name) || this.#m.cluster?.mayWake(enclave) === false) return false;
    const active = this.#active.get(name);
    if (active && active.sequencer === null) this.#passOver(name);
    return !active;
  }

  /** Resolves when the bundle is closed, or can't be; then the enclave sleeps on, if nobody has asked for it meanwhile. */
  async #closeAsleep({ enclave }: LogKey): Promise<void> {
    const actor = await this.actor(enclave);
    if (typeof actor === 'number') return this.#passOver(nameOf(enclave));
    const { lastUsed } = actor;
    actor.pump();
    const lost = await new Promise((resolve) => actor.whenReleased(resolve));
    if (lost !== 0) return this.#passOver(actor.name);
    if (actor.dropped) return;
    const { dueAt } = actor.kernel;
    if (dueAt !== 0 && dueAt <= this.#m.now()) this.#passOver(actor.name);
    else if (actor.lastUsed === lastUsed && isFree(actor)) void this.#evict(actor);
  }

  #passOver(name: string): void {
    this.#passed.set(name, performance.now() + PASS_OVER_MS);
  }
}

/** Nothing is under way in it, and nobody looks into its kernel. */
function isFree(actor: EnclaveActor): boolean {
  return actor.idle && actor.readers === 0;
}
