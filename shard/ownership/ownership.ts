import { candidates, NO_TOPOLOGY, type Topology } from '../../cluster/topology/topology.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { shardOf } from '../../protocol/jump.ts';
import type { EnclaveActor } from '../enclave/actor.ts';
import type { Enclaves } from '../enclave/enclaves.ts';
import { nameOf } from '../enclave/name.ts';
import type { EnclaveLog, Epoch } from '../log/enclave-log.ts';
import type { ShardMetrics } from '../metrics.ts';
import { shardOfNonce } from './owner-nonce.ts';

const FENCED = errorNumber('fenced');
const UNAVAILABLE = errorNumber('unavailable');

/** How often it is looked whether enclaves can go back to their first choice, ms. */
const TAKE_BACK_EVERY_MS = 500;
/** An enclave that was taken over goes back no sooner than this, so that it does not bounce, ms (ARCHITECTURE §4). */
const HELD_AT_LEAST_MS = 10_000;
/** Its first choice has been seen alive for so long, ms. */
const HEALTHY_FOR_MS = 1000;
/** What was fenced away is remembered for this many enclaves, the latest; others count as never owned. */
const MAX_FENCED = 65_536;
/** Enclaves that may be about to be taken over at once; routers ask again for what was forgotten. */
const MAX_TAKING = 16_384;
/** A read trusts what the log said of the owner for this long, ms. */
const TRUSTED_MS = 1000;
/** An owner that has heard nothing from its log for this long answers no reads, ms (ARCHITECTURE §3). */
const SILENT_MS = 2000;

/** Where a request should go instead. `released`: nobody has the enclave open, so it must be asked to take it over. */
export interface Elsewhere {
  /** null: nobody knows */
  readonly shard: number | null;
  readonly released: boolean;
}

/** What is known of the cluster (cluster/topology/cluster-view.ts). */
export interface View {
  readonly topology: Topology;
  readonly beats: ReadonlyMap<number, unknown>;
}

export interface OwnershipModules {
  readonly shard: number;
  readonly view: View;
  readonly log: Pick<EnclaveLog, 'owner'>;
  readonly enclaves: Pick<Enclaves, 'has' | 'actors' | 'letGo'>;
  readonly metrics: Pick<ShardMetrics, 'takeOvers' | 'givenBack'> | null;
}

/**
 * Which enclaves this shard may open (ARCHITECTURE §4). None of it is needed for safety: that is the epoch's business.
 * These rules see to it that shards do not take enclaves from each other all the time, whatever routers believe:
 *
 * - what is open here is served here, until an append or a look at the log says that somebody else owns it;
 * - what is asked for under the take-over flag is opened: a router could not reach the first choice;
 * - what was fenced away is opened again only as first choice under a newer topology, or on that flag;
 * - what is open here though another shard is its first choice goes back when that one is healthy, at an idle moment; if
 *   it was taken over, not sooner than 10 s after it came, and at once if a new topology has moved it.
 */
export class Ownership {
  readonly #m: OwnershipModules;
  /** enclaves that others took: by whom, and the topology version under which that was seen */
  readonly #fenced = new Map<string, { shard: number | null; version: number }>();
  /** enclaves that are to be taken over from whoever has them, and are not open yet */
  readonly #taking = new Set<string>();
  /** enclaves that others owned and that are being opened here */
  readonly #foreign = new Set<string>();
  readonly #asking = new Map<string, Promise<number | null>>();
  readonly #seenSince = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  #counted: Topology = NO_TOPOLOGY;
  /** actors whose first choice is another shard, and how long after they came they may go there, ms */
  #guests = new Map<EnclaveActor, number>();
  #draining = false;

  constructor(modules: OwnershipModules) {
    this.#m = modules;
    this.#timer = setInterval(() => this.giveBack(), TAKE_BACK_EVERY_MS);
  }

  /** enclaves that are open here and belong elsewhere */
  get guests(): number {
    return this.#guests.size;
  }

  /** null: serve it here. */
  admit(enclave: Uint8Array, takeOver: boolean): Elsewhere | null {
    const name = nameOf(enclave);
    if (this.#m.enclaves.has(name)) return null;
    const { topology } = this.#m.view;
    const first = topology.shards > 0 ? shardOf(enclave, topology.shards) : this.#m.shard;
    if (this.#draining) return { shard: first === this.#m.shard ? null : first, released: true };
    if (takeOver) {
      this.#fenced.delete(name);
      remember(this.#taking, name);
      return null;
    }
    if (first !== this.#m.shard) return { shard: first, released: true };
    const fenced = this.#fenced.get(name);
    if (fenced && fenced.version >= topology.version) return { shard: fenced.shard, released: false };
    this.#fenced.delete(name);
    return null;
  }

  /**
   * May the enclave be opened, whose last epoch is `epoch`? Not if another shard that is alive has raised it and no router
   * has asked to take it over: it may have it open. But what a new topology has just moved here is simply opened.
   */
  mayOpen(enclave: Uint8Array, epoch: Epoch | null): boolean {
    const owner = epoch ? shardOfNonce(epoch.nonce) : null;
    const asked = this.#taking.delete(nameOf(enclave));
    if (owner === null || owner === this.#m.shard) return true;
    const may = asked || this.#mayTakeFrom(owner, enclave);
    if (may) remember(this.#foreign, nameOf(enclave));
    return may;
  }

  /** An append here was fenced: whose is the enclave now? Remembered, so that it is not opened again without reason. */
  async lost(enclave: Uint8Array): Promise<Elsewhere> {
    const name = nameOf(enclave);
    let asking = this.#asking.get(name);
    if (!asking) {
      asking = this.#ask(enclave, name).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    const shard = await asking;
    // Owned by this shard: an earlier epoch of its own was fenced, and it may go on.
    return { shard, released: shard === this.#m.shard };
  }

  /**
   * 0 if this actor is still the owner, as the log said within the last 2 s; else the error that a read answers. Asks the
   * log at most once a second and enclave. What the log says to an append counts as well.
   */
  async confirm(actor: EnclaveActor): Promise<number> {
    if (performance.now() - actor.confirmedAt < TRUSTED_MS) return 0;
    actor.confirming ??= this.#look(actor).finally(() => {
      actor.confirming = null;
    });
    const rest = SILENT_MS - (performance.now() - actor.confirmedAt);
    // A timer may fire a little early.
    await within(actor.confirming, Math.max(0, Math.ceil(rest) + 1));
    if (actor.dropped) return FENCED;
    return performance.now() - actor.confirmedAt < SILENT_MS ? 0 : UNAVAILABLE;
  }

  /** May this shard open an enclave of its own accord, because a bundle of it is due? */
  mayWake(enclave: Uint8Array): boolean {
    const { topology, beats } = this.#m.view;
    if (this.#draining || topology.shards === 0) return false;
    for (const shard of candidates(enclave, topology.shards)) {
      if (shard === this.#m.shard) return true;
      if (beats.has(shard)) return false;
    }
    return false;
  }

  /** From now on nothing is opened any more. */
  drain(): void {
    this.#draining = true;
    clearInterval(this.#timer);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Lets go of idle enclaves that belong elsewhere; their next request is sent there. Returns how many. */
  giveBack(now = performance.now()): number {
    this.#watchHealth(now);
    this.#countGuests();
    let given = 0;
    for (const [actor, held] of this.#guests) {
      if (actor.dropped) this.#guests.delete(actor);
      if (actor.dropped || !actor.idle || actor.readers > 0 || now - actor.openedAt < held) continue;
      const since = this.#seenSince.get(this.#firstChoice(actor.key.enclave));
      if (since === undefined || now - since < HEALTHY_FOR_MS) continue;
      this.#guests.delete(actor);
      this.#m.enclaves.letGo(actor);
      given++;
    }
    this.#m.metrics?.givenBack.inc(given);
    return given;
  }

  #mayTakeFrom(owner: number, enclave: Uint8Array): boolean {
    const { topology, beats } = this.#m.view;
    if (!beats.has(owner) || owner >= topology.shards) return true;
    return topology.before > 0 && shardOf(enclave, topology.before) !== this.#m.shard;
  }

  #firstChoice(enclave: Uint8Array): number {
    return shardOf(enclave, this.#m.view.topology.shards);
  }

  /** An actor has been opened. */
  opened(actor: EnclaveActor): void {
    if (this.#foreign.delete(nameOf(actor.key.enclave))) this.#m.metrics?.takeOvers.inc();
    if (this.#belongsElsewhere(actor)) this.#guests.set(actor, HELD_AT_LEAST_MS);
  }

  /** After a change of topology the first choice of every open enclave may be another. */
  #countGuests(): void {
    const { topology } = this.#m.view;
    if (topology === this.#counted) return;
    this.#counted = topology;
    const before = this.#guests;
    this.#guests = new Map();
    for (const actor of this.#m.enclaves.actors())
      if (this.#belongsElsewhere(actor)) this.#guests.set(actor, before.get(actor) ?? 0);
  }

  #belongsElsewhere(actor: EnclaveActor): boolean {
    return this.#m.view.topology.shards > 0 && this.#firstChoice(actor.key.enclave) !== this.#m.shard;
  }

  #watchHealth(now: number): void {
    const { beats } = this.#m.view;
    for (const shard of this.#seenSince.keys()) if (!beats.has(shard)) this.#seenSince.delete(shard);
    for (const shard of beats.keys()) if (!this.#seenSince.has(shard)) this.#seenSince.set(shard, now);
  }

  async #ask(enclave: Uint8Array, name: string): Promise<number | null> {
    const epoch = await this.#m.log.owner({ enclave, lane: 0 }).catch(() => null);
    const shard = epoch ? shardOfNonce(epoch.nonce) : null;
    if (shard !== this.#m.shard) this.#remember(name, shard);
    return shard;
  }

  #remember(name: string, shard: number | null): void {
    this.#fenced.delete(name);
    if (this.#fenced.size >= MAX_FENCED) this.#fenced.delete(this.#fenced.keys().next().value as string);
    this.#fenced.set(name, { shard, version: this.#m.view.topology.version });
  }

  async #look(actor: EnclaveActor): Promise<void> {
    const asked = performance.now();
    const epoch = await this.#m.log.owner(actor.key).catch(() => undefined);
    if (epoch === undefined) return;
    const { counter, nonce } = actor.epoch;
    const same = epoch !== null && epoch.counter === counter && Buffer.compare(epoch.nonce, nonce) === 0;
    if (same) actor.confirmedAt = Math.max(actor.confirmedAt, asked);
    else actor.drop(FENCED);
  }
}

/** Keeps the latest MAX_TAKING. */
function remember(names: Set<string>, name: string): void {
  if (names.size >= MAX_TAKING) names.delete(names.values().next().value as string);
  names.add(name);
}

/** Resolves when `work` does, at the latest after `ms`. */
function within(work: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void work.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
