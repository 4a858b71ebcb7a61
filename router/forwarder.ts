import { isUpload } from '../cluster/link/calls.ts';
import type { Welcome } from '../cluster/link/handshake.ts';
import { NOBODY, STREAM_SNAPSHOT } from '../cluster/link/records.ts';
import type { ClusterView } from '../cluster/topology/cluster-view.ts';
import type { Topology } from '../cluster/topology/topology.ts';
import { errorNumber } from '../protocol/errors.ts';
import { noteError } from '../shard/api/answer.ts';
import { errorBytes } from '../shard/enclave/answers.ts';
import { beginAttempt, endAttempt } from './attempt.ts';
import type { Flight } from './flight.ts';
import type { LinkState, RouterMetrics } from './metrics.ts';
import { ResendLine } from './resend-line.ts';
import { candidate, ownedBy, ownerOf, type Routes } from './routes.ts';
import { LINK_TICK_MS, type LinkEvents, type LinkOptions, ShardLink } from './shard-link.ts';
import { UploadPump } from './upload-pump.ts';

const UNAVAILABLE = errorNumber('unavailable');
const OVERLOADED = errorNumber('overloaded');
const EXPIRED = errorNumber('expired');

/** Flights that may wait for a shard to come back; more are `overloaded`. */
const MAX_WAITING = 16_384;
/** Where a flight was sent elsewhere this often in a row, shards disagree: it pauses, so that they come to agree. */
const HOPS_AT_ONCE = 4;
const PAUSE_MS = 50;
/** An answer `unavailable` passes by itself, mostly: it is tried again so often, with these pauses, ms. */
const RETRY_PAUSES = [25, 50, 100, 200, 400] as const;

export interface ForwarderOptions {
  /** bytes of bodies under way at once; more are `overloaded` */
  readonly maxPendingBytes: number;
}

export interface ForwarderModules {
  readonly view: ClusterView;
  readonly routes: Routes;
  readonly link: Omit<LinkOptions, 'shard' | 'topology'>;
  readonly metrics: RouterMetrics | null;
  readonly log: (fields: object, message: string) => void;
  /** What a call is answered that no shard could be asked about: it may be wrong by itself. Null: `unavailable`. */
  readonly misshaped: (flight: Flight) => { readonly code: number; readonly body: Uint8Array } | null;
}

/**
 * Sends each call to the shard that has its enclave, and again to another one when that fails, until the caller's deadline
 * (ARCHITECTURE §4). Repeating is safe: the same commit is the same hash and gets the same receipt. Whom it asks is a matter
 * of speed only; shards fence each other by epochs.
 */
export class Forwarder implements LinkEvents {
  readonly #o: ForwarderOptions;
  readonly #m: ForwarderModules;
  readonly #links = new Map<number, ShardLink>();
  readonly #pumps = new Map<Flight, UploadPump>();
  #waiting: Flight[] = [];
  readonly #line = new ResendLine((flight, now) => {
    if (now >= flight.deadline) this.expired(flight);
    else this.#dispatch(flight, now);
  });
  readonly #timer: NodeJS.Timeout;
  #pending = 0;
  #round = 0;
  #about: string | null = null;

  constructor(options: ForwarderOptions, modules: ForwarderModules) {
    this.#o = options;
    this.#m = modules;
    modules.view.onTopology((topology) => this.#reshape(topology));
    this.#reshape(modules.view.topology);
    this.#timer = setInterval(() => this.#tick(), LINK_TICK_MS);
  }

  /** `GET /` as the shards tell it; null before the first was met. */
  get about(): string | null {
    return this.#about;
  }

  get pendingBytes(): number {
    return this.#pending;
  }

  get waiting(): number {
    return this.#waiting.length + this.#line.length;
  }

  /** Links to the shards, whatever their state. */
  get links(): LinkState[] {
    return [...this.#links.values()].map(({ shard, open, underWay }) => ({ shard, open, underWay }));
  }

  /** Shards that can be asked. */
  get reachable(): number {
    const now = performance.now();
    let count = 0;
    for (const link of this.#links.values()) if (link.open && this.#usable(link.shard, now)) count++;
    return count;
  }

  submit(flight: Flight, now: number): void {
    if (this.#pending + flight.body.length > this.#o.maxPendingBytes)
      return flight.target.answer(OVERLOADED, errorBytes(OVERLOADED));
    this.#pending += flight.body.length;
    if (this.#line.holds(flight)) this.#line.push(flight);
    else this.#dispatch(flight, now);
  }

  /** Ends everything: what is under way is answered `unavailable`. */
  close(): void {
    clearInterval(this.#timer);
    for (const link of this.#links.values()) link.close();
    for (const flight of [...this.#line.take(), ...this.#waiting.splice(0)])
      this.#finish(flight, UNAVAILABLE, errorBytes(UNAVAILABLE));
  }

  #dispatch(flight: Flight, now: number): void {
    const shard = this.#pick(flight, now);
    const link = shard < 0 ? undefined : this.#links.get(shard);
    flight.shard = shard;
    if (flight.trace !== null && link !== undefined) beginAttempt(flight, flight.trace, this.#takeOver);
    switch (link?.send(flight, this.#takeOver, now)) {
      case 'sent':
        flight.sent++;
        return;
      case 'full':
        this.#m.metrics?.full.inc();
        endAttempt(flight, 'full', 'overloaded');
        return this.#finish(flight, OVERLOADED, errorBytes(OVERLOADED));
      default:
        // No link at the moment: nothing was sent.
        flight.attempt = null;
        return this.#wait(flight, now);
    }
  }

  /** of the shard that was picked last */
  #takeOver = false;

  /** Whom to ask: who is said to have it; else the first candidate that can be reached. −1: nobody at the moment. */
  #pick(flight: Flight, now: number): number {
    this.#takeOver = false;
    if (flight.route === null) return this.#anyone(now);
    const route = this.#m.routes.current(flight.route);
    flight.route = route;
    const owner = flight.owner >= 0 ? flight.owner : ownerOf(route);
    if (owner >= 0 && this.#usable(owner, now)) {
      this.#takeOver = flight.owner >= 0 && flight.released;
      flight.astray = owner !== candidate(route, 0);
      return owner;
    }
    for (let n = 0; ; n++) {
      const shard = candidate(route, n);
      if (shard < 0) return this.#lastResort(flight, now);
      if (shard === flight.avoid || !this.#usable(shard, now)) continue;
      // Who has it, or should have it, can't be reached: whoever is asked must take it over.
      this.#takeOver = n > 0 || owner >= 0;
      flight.astray = n > 0;
      return shard;
    }
  }

  /** Nobody but who has just said that it does not have it, nor knows who does: then it must take it over. */
  #lastResort(flight: Flight, now: number): number {
    if (flight.avoid < 0 || !this.#usable(flight.avoid, now)) return -1;
    this.#takeOver = true;
    return flight.avoid;
  }

  #anyone(now: number): number {
    const { shards } = this.#m.view.topology;
    for (let i = 0; i < shards; i++) {
      const shard = (this.#round + i) % shards;
      if (!this.#usable(shard, now) || !this.#links.get(shard)?.open) continue;
      this.#round = shard + 1;
      return shard;
    }
    return -1;
  }

  #usable(shard: number, now: number): boolean {
    const link = this.#links.get(shard);
    return link !== undefined && !link.leaving && this.#m.view.mayLive(shard) && !link.unreachable(now);
  }

  #wait(flight: Flight, now: number): void {
    if (this.#waiting.length >= MAX_WAITING) return this.#finish(flight, OVERLOADED, errorBytes(OVERLOADED));
    flight.retryAt = Math.max(flight.retryAt, now);
    this.#waiting.push(flight);
  }

  /** `why`: what the last sending came to. */
  #again(flight: Flight, why: string, pause: number): void {
    const now = performance.now();
    this.#m.metrics?.retries.inc();
    flight.trace?.event('retry', { 'enc.reason': why, 'enc.shard': flight.shard, 'enc.pause_ms': pause });
    if (flight.flowing) return this.#unrepeatable(flight);
    if (now >= flight.deadline) return this.expired(flight);
    if (pause === 0) return this.#dispatch(flight, now);
    flight.retryAt = now + pause;
    this.#wait(flight, now);
  }

  #hop(flight: Flight, why: string): void {
    endAttempt(flight, why);
    flight.hops++;
    this.#again(flight, why, flight.hops % HOPS_AT_ONCE === 0 ? PAUSE_MS : 0);
  }

  #unrepeatable(flight: Flight): void {
    if (!flight.begun) return this.#finish(flight, UNAVAILABLE, errorBytes(UNAVAILABLE));
    this.#end(flight);
    flight.exchange?.fail(new Error('the shard that was answering is gone'));
  }

  #finish(flight: Flight, code: number, body: Uint8Array): void {
    if (flight.done) return;
    this.#end(flight);
    flight.target.answer(code, body);
  }

  #end(flight: Flight): void {
    if (flight.done) return;
    flight.done = true;
    endAttempt(flight, 'cancelled');
    this.#pending -= flight.body.length;
    this.#pumps.delete(flight);
  }

  answered(flight: Flight, code: number, body: Uint8Array): void {
    if (flight.attempt !== null) noteError(flight.attempt, code);
    endAttempt(flight, 'answered');
    if (code === UNAVAILABLE && !flight.flowing) {
      const pause = RETRY_PAUSES[flight.refusals++];
      if (pause !== undefined) return this.#again(flight, 'unavailable', pause);
    }
    // An earlier sending may have been in time, and have been lost on its way back: the caller must not take this for a refusal.
    if (code === EXPIRED && flight.sent > 1) return this.#finish(flight, UNAVAILABLE, errorBytes(UNAVAILABLE));
    if (flight.astray && flight.route && code !== UNAVAILABLE) ownedBy(flight.route, flight.shard);
    this.#finish(flight, code, body);
  }

  moved(flight: Flight, from: number, owner: number, released: boolean): void {
    this.#m.metrics?.moved.inc();
    flight.owner = owner === NOBODY ? -1 : owner;
    flight.released = released;
    flight.avoid = owner === NOBODY ? from : -1;
    if (flight.route) flight.route.owner = -1;
    this.#hop(flight, 'moved');
  }

  misrouted(flight: Flight, enclave: Uint8Array): void {
    flight.route = this.#m.routes.of(enclave);
    flight.owner = -1;
    this.#hop(flight, 'misrouted');
  }

  stale(flight: Flight): void {
    this.#m.metrics?.stale.inc();
    flight.owner = -1;
    this.#hop(flight, 'stale');
  }

  lost(flight: Flight): void {
    endAttempt(flight, 'lost', 'link_lost');
    this.#m.metrics?.retries.inc();
    flight.trace?.event('retry', { 'enc.reason': 'lost', 'enc.shard': flight.shard, 'enc.pause_ms': 0 });
    if (flight.flowing) this.#unrepeatable(flight);
    else this.#line.push(flight);
  }

  expired(flight: Flight): void {
    this.#m.metrics?.expired.inc();
    endAttempt(flight, 'expired', 'timeout');
    const { code, body } = this.#m.misshaped(flight) ?? { code: UNAVAILABLE, body: errorBytes(UNAVAILABLE) };
    this.#finish(flight, code, body);
  }

  began(flight: Flight, kind: number): void {
    const { exchange, route } = flight;
    flight.flowing = true;
    flight.deadline = Number.POSITIVE_INFINITY;
    flight.begun = true;
    if (exchange && route) exchange.begin(kind === STREAM_SNAPSHOT ? 'snapshot' : 'json', route.enclave);
  }

  data(flight: Flight, bytes: Uint8Array, link: ShardLink): void {
    const { exchange } = flight;
    if (!exchange || exchange.gone) {
      link.cancel(flight);
      return this.#end(flight);
    }
    if (exchange.write(bytes)) return link.grant(flight, bytes.length);
    void exchange.drained().then(() => {
      if (!exchange.gone) return link.grant(flight, bytes.length);
      link.cancel(flight);
      this.#end(flight);
    });
  }

  ended(flight: Flight, bytes: Uint8Array): void {
    endAttempt(flight, 'answered');
    this.#end(flight);
    flight.exchange?.end(bytes);
  }

  aborted(flight: Flight): void {
    endAttempt(flight, 'aborted', 'aborted');
    this.#end(flight);
    flight.exchange?.fail(new Error('the shard broke its answer off'));
  }

  credit(flight: Flight, bytes: number, link: ShardLink): void {
    const { exchange } = flight;
    if (!exchange || !isUpload(flight.op)) return;
    let pump = this.#pumps.get(flight);
    if (!pump) {
      flight.flowing = true;
      flight.deadline = Number.POSITIVE_INFINITY;
      pump = new UploadPump(flight, link, exchange.upload, () => {
        link.cancel(flight);
        this.#end(flight);
      });
      this.#pumps.set(flight, pump);
    }
    pump.grant(bytes);
  }

  topology(topology: Topology): void {
    this.#m.view.adopt(topology);
  }

  up(shard: number, { about, version }: Welcome): void {
    this.#about = about;
    this.#m.log({ shard, version }, 'linked to a shard');
  }

  down(shard: number, why: string): void {
    this.#m.metrics?.linksLost.inc();
    this.#m.log({ shard, why }, 'the link to a shard is down');
  }

  #tick(): void {
    const now = performance.now();
    const { view } = this.#m;
    const { beats, topology } = view;
    for (const [shard, link] of this.#links) {
      const beat = beats.get(shard);
      if (shard >= topology.shards) {
        // What a shard that has left the topology has under way it still answers; it is sent nothing new.
        if (link.underWay > 0) continue;
        link.close();
        this.#links.delete(shard);
      } else if (beat) link.meet(beat.url, beat.process);
      // Whoever misses its heartbeat may hang: what is under way there goes on elsewhere.
      else if (!view.mayLive(shard)) link.rest('its heartbeat is gone, or it lacks a store that others have');
      link.tick(now);
    }
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flight of waiting) {
      if (now >= flight.deadline) this.expired(flight);
      else if (now < flight.retryAt) this.#waiting.push(flight);
      else this.#line.push(flight);
    }
  }

  #reshape(topology: Topology): void {
    this.#m.routes.adopt(topology);
    for (let shard = 0; shard < topology.shards; shard++) {
      if (this.#links.has(shard)) continue;
      this.#links.set(shard, new ShardLink({ ...this.#m.link, shard, topology: () => this.#m.view.topology }, this));
    }
  }
}
