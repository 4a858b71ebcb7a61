import { setTimeout as sleep } from 'node:timers/promises';
import { beat, Connection, type Prepare, type Setup } from './connection.ts';
import { commandBytes } from './encode.ts';
import type { Reply } from './link.ts';
import { RedisRefused, RedisUnknown } from './redis-errors.ts';
import type { RedisMeter, RedisState } from './redis-meter.ts';
import { type RedisSettings, type Settled, settle } from './redis-settings.ts';
import { type Arg, callScript, type Script } from './script.ts';
import type { ServerFacts } from './server-check.ts';
import type { Done, Write } from './write-group.ts';

export interface RedisStoreOptions {
  readonly settings: RedisSettings;
  /** every script that will be called; loaded on each new connection */
  readonly scripts: readonly Script[];
  /** key of the beat, a write that keeps an idle connection honest (see RedisSettings.beatMs) */
  readonly beatKey: string;
  /** last word on each new connection before anybody uses it: is this the store that I know? */
  readonly prepare?: Prepare;
  /** the first connection must be there by then; default 10,000 ms */
  readonly openMs?: number;
  /** a connection has begun, or ended, or could not be made (a sentence for the operator's log) */
  readonly onState?: (state: StoreState) => void;
  readonly meter?: RedisMeter | undefined;
}

export type StoreState =
  | { readonly kind: 'connected'; readonly facts: ServerFacts; readonly replicas: number }
  | { readonly kind: 'lost' | 'failed'; readonly reason: string };

const TICK_MS = 50;
const LOOK_MS = 2000;
const MAX_BACKOFF_MS = 1000;
/** A primary that has just restarted has no replicas yet, but may still lose its place to one of them. */
const REPLICAS_RETURN_MS = 10_000;
/** A group larger than this holds up the one behind it longer than a round trip costs. */
const GROUP_WRITES = 2048;
const GROUP_BYTES = 8 * 1024 * 1024;

/** Connects and resolves when the store can be used. Rejects with RedisRefused at once, with the last reason after openMs. */
export async function openRedis(options: RedisStoreOptions): Promise<RedisStore> {
  const store = new RedisStore(options, settle(options.settings));
  try {
    await store.ready(options.openMs ?? 10_000);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * A Redis whose writes are durable when they are answered (shard/redis/README.md). Writes of one tick go as one group with
 * one WAIT; while a few groups are under way, what comes is the next group. Where there is no connection, or no room,
 * the answer is RedisUnknown at once: nothing is kept for later, nothing is sent twice.
 */
export class RedisStore implements RedisState {
  readonly #options: RedisStoreOptions;
  readonly #settings: Settled;
  #connection: Connection | null = null;
  #generation = 0;
  #writes: Write[] = [];
  #bytes = 0;
  #reads: Write[] = [];
  #readsOpen = 0;
  #scheduled = false;
  #closed = false;
  #nextLook = 0;
  readonly #closing = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #connecting: Promise<void>;
  #waiters: ((error: Error | null) => void)[] = [];
  #onIdle: (() => void) | null = null;
  #lastFailure: Error = new Error('Redis was not reached.');

  constructor(options: RedisStoreOptions, settings: Settled) {
    this.#options = options;
    this.#settings = settings;
    options.meter?.watch(this);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    this.#connecting = this.#keepConnected();
  }

  /** Counts connections, 0 while there is none: what was read under one says nothing under another. */
  get generation(): number {
    return this.#connection === null ? 0 : this.#generation;
  }

  /** The server in use, null while there is none. */
  get server(): ServerFacts | null {
    return this.#connection?.facts ?? null;
  }

  /** Replicas each write is counted on, −1 while there is no connection. */
  get replicas(): number {
    return this.#connection?.replicas ?? -1;
  }

  /** performance.now() of the last counted answer: how long ago this process last knew its primary to be the primary. */
  get heardAt(): number {
    return this.#connection?.heardAt ?? Number.NEGATIVE_INFINITY;
  }

  /** writes that wait to be sent */
  get queued(): number {
    return this.#writes.length;
  }

  /** As the server said last, some seconds ago. */
  get memory(): RedisState['memory'] {
    return this.#connection?.memory ?? null;
  }

  /** Resolves when there is a connection; rejects after `ms`, or at once when the server is refused, or on close. */
  ready(ms: number): Promise<void> {
    if (this.#connection !== null) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = (error: Error | null): void => {
        clearTimeout(timer);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        if (error === null) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => waiter(this.#lastFailure), ms);
      this.#waiters.push(waiter);
    });
  }

  /** Queues a counted write. `done` gets the script's reply when it is durable, or RedisUnknown; never during this call. */
  write(script: Script, keys: readonly Arg[], args: readonly Arg[], done: Done): void {
    const parts = callScript(script, keys, args);
    const bytes = commandBytes(parts);
    const { maxQueued, maxQueuedBytes } = this.#settings;
    if (this.#connection === null || this.#closed) return this.#refuse(done, 'offline');
    if (this.#writes.length >= maxQueued || this.#bytes + bytes > maxQueuedBytes) return this.#refuse(done, 'full');
    this.#writes.push({ parts, bytes, done });
    this.#bytes += bytes;
    this.#schedule();
  }

  /** The same as a promise, for what is not on the hot path; rejects with RedisUnknown. */
  counted(script: Script, keys: readonly Arg[], args: readonly Arg[]): Promise<Reply> {
    return new Promise((resolve, reject) => this.write(script, keys, args, settler(resolve, reject)));
  }

  /** Queues a read on its own connection to the same server: it sees what was written, durable or not. */
  read(parts: readonly Arg[], done: Done): void {
    if (this.#connection === null || this.#closed) return this.#refuse(done, 'offline');
    if (this.#readsOpen >= this.#settings.maxReads) return this.#refuse(done, 'full');
    this.#readsOpen++;
    this.#reads.push({
      parts,
      bytes: commandBytes(parts),
      done: (reply) => {
        this.#readsOpen--;
        done(reply);
      },
    });
    this.#schedule();
  }

  /** The same as a promise; rejects with RedisUnknown. */
  fetch(...parts: Arg[]): Promise<Reply> {
    return new Promise((resolve, reject) => this.read(parts, settler(resolve, reject)));
  }

  /** Carries out what is queued, within the deadline, then ends the connection; calls after it are unknown. */
  async close(): Promise<void> {
    const first = !this.#closed;
    this.#closed = true;
    if (first && this.#connection !== null) {
      this.#flush();
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      if (!this.#isIdle()) await Promise.race([idle, sleep(this.#settings.deadlineMs * 2, null, { ref: false })]);
    }
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#connection?.end(new RedisUnknown('closed', 'The store has been closed.'));
    for (const waiter of this.#waiters) waiter(new RedisUnknown('closed', 'The store has been closed.'));
    await this.#connecting;
  }

  #isIdle(): boolean {
    const groups = this.#connection?.groups ?? 0;
    return groups === 0 && this.#writes.length === 0 && this.#readsOpen === 0;
  }

  #refuse(done: Done, reason: 'offline' | 'full'): void {
    const unknown = this.#closed
      ? new RedisUnknown('closed', 'The store has been closed.')
      : new RedisUnknown(reason, reason === 'full' ? 'Too much is waiting for Redis.' : this.#lastFailure.message);
    this.#options.meter?.failed(unknown.reason);
    setImmediate(done, unknown);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const connection = this.#connection;
    if (connection === null) return;
    if (this.#reads.length > 0) {
      const reads = this.#reads;
      this.#reads = [];
      connection.read(reads);
    }
    while (this.#writes.length > 0 && connection.groups < this.#settings.maxGroups && !connection.ended)
      connection.write(this.#take());
  }

  /** The next group: all that is queued, up to its bounds. */
  #take(): Write[] {
    let n = 0;
    let bytes = 0;
    while (n < this.#writes.length && n < GROUP_WRITES && (n === 0 || bytes < GROUP_BYTES))
      bytes += (this.#writes[n++] as Write).bytes;
    this.#bytes -= bytes;
    if (n === this.#writes.length) {
      const all = this.#writes;
      this.#writes = [];
      return all;
    }
    return this.#writes.splice(0, n);
  }

  #tick(): void {
    const connection = this.#connection;
    if (connection === null) return;
    const now = performance.now();
    connection.checkDeadlines(now);
    if (this.#onIdle !== null && this.#isIdle()) this.#onIdle();
    if (now - connection.heardAt > this.#settings.beatMs && connection.groups === 0 && this.#writes.length === 0)
      this.#beat(connection);
    if (now >= this.#nextLook) {
      this.#nextLook = now + LOOK_MS;
      connection.look();
    }
  }

  #beat(connection: Connection): void {
    const parts = beat(this.#options.beatKey);
    connection.write([{ parts, bytes: commandBytes(parts), done: () => {} }]);
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#closing;
    const { scripts, beatKey, prepare = async () => {}, meter } = this.#options;
    const onWritten = meter && ((seconds: number) => meter.wrote(seconds));
    const setup: Setup = { settings: this.#settings, scripts, beatKey, prepare, onWritten };
    let counted = 0;
    let lostAt = Number.NEGATIVE_INFINITY;
    for (let attempt = 0, failures = 0; !signal.aborted; attempt++) {
      try {
        const atLeast = performance.now() - lostAt < REPLICAS_RETURN_MS ? counted : 0;
        const connection = await Connection.open(setup, attempt, atLeast);
        failures = 0;
        await this.#use(connection);
        counted = connection.replicas;
        lostAt = performance.now();
      } catch (error) {
        this.#failed(error instanceof Error ? error : new Error(String(error)));
        const pause = Math.min(MAX_BACKOFF_MS, 25 * 2 ** Math.min(failures++, 10));
        await sleep(pause, null, { signal }).catch(() => {});
      }
    }
  }

  /** Until it ends. */
  async #use(connection: Connection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.end(new RedisUnknown('closed', 'The store has been closed.'));
    this.#generation++;
    this.#connection = connection;
    connection.onRoom = () => {
      this.#flush();
      // Not before the callbacks of the group have run: they may queue more.
      if (this.#onIdle !== null) setImmediate(() => this.#isIdle() && this.#onIdle?.());
    };
    this.#options.onState?.({ kind: 'connected', facts: connection.facts, replicas: connection.replicas });
    for (const waiter of this.#waiters) waiter(null);
    const why = await new Promise<RedisUnknown>((resolve) => {
      connection.onEnd((reason) => {
        // At once, before anything else is queued on a connection that is no more.
        this.#connection = null;
        this.#lastFailure = reason;
        this.#options.meter?.failed(reason.reason);
        this.#drop(reason);
        resolve(reason);
      });
    });
    if (!this.#closing.signal.aborted) this.#options.onState?.({ kind: 'lost', reason: why.message });
  }

  /** What was queued has not been sent and never will be. */
  #drop(why: RedisUnknown): void {
    const dropped = [...this.#writes, ...this.#reads];
    this.#writes = [];
    this.#reads = [];
    this.#bytes = 0;
    for (const { done } of dropped) done(why);
    this.#onIdle?.();
  }

  #failed(error: Error): void {
    this.#lastFailure = error;
    if (this.#closing.signal.aborted) return;
    this.#options.meter?.failed('unreachable');
    this.#options.onState?.({ kind: 'failed', reason: error.message });
    if (error instanceof RedisRefused) for (const waiter of this.#waiters) waiter(error);
  }
}

function settler(resolve: (reply: Reply) => void, reject: (error: Error) => void): Done {
  return (reply) => (reply instanceof RedisUnknown ? reject(reply) : resolve(reply));
}
