import { commandBytes } from './encode.ts';
import { findPrimary } from './find-primary.ts';
import { Link, type Reply } from './link.ts';
import { ReadBatch } from './read-batch.ts';
import { RedisRefused, RedisUnknown } from './redis-errors.ts';
import type { Settled } from './redis-settings.ts';
import { type Arg, callScript, type Script } from './script.ts';
import { checkServer, parseInfo, replicasInStep, type ServerFacts } from './server-check.ts';
import { type Write, WriteGroup } from './write-group.ts';

/** What every connection is given: see RedisStoreOptions. */
export interface Setup {
  readonly settings: Settled;
  readonly scripts: readonly Script[];
  readonly beatKey: string;
  readonly prepare: Prepare;
  /** told of every group that was counted: seconds from sending it to its last reply */
  readonly onWritten?: ((seconds: number) => void) | undefined;
}

/** What may be done with a new connection before anybody else sees it. A rejection refuses this server. */
export interface NewConnection {
  readonly facts: ServerFacts;
  /** One write, counted as every other; rejects with RedisUnknown. */
  counted(script: Script, keys: readonly Arg[], args: readonly Arg[]): Promise<Reply>;
}

export type Prepare = (connection: NewConnection) => Promise<void>;

/**
 * One generation: two sockets to one run of one primary, one for counted writes, one for reads. It begins with the checks
 * and the scripts, and ends for good with the first sign that the server is not what it was: anything lost, late or short,
 * a script it does not know, a role it no longer has. So a reply never crosses generations.
 */
export class Connection implements NewConnection {
  readonly facts: ServerFacts;
  readonly #settings: Settled;
  readonly #writer: Link;
  readonly #reader: Link;
  readonly #onWritten: ((seconds: number) => void) | undefined;
  #replicas: number;
  #memory: { readonly used: number; readonly limit: number } | null = null;
  readonly #groups: WriteGroup[] = [];
  readonly #batches: ReadBatch[] = [];
  #ended: RedisUnknown | null = null;
  #onEnd: ((why: RedisUnknown) => void) | null = null;
  /** a group was settled: there may be room for the next */
  onRoom: (() => void) | null = null;
  /** performance.now() when a counted group was last answered */
  heardAt = Number.NEGATIVE_INFINITY;

  private constructor(setup: Setup, facts: ServerFacts, replicas: number, writer: Link, reader: Link) {
    this.#settings = setup.settings;
    this.#onWritten = setup.onWritten;
    this.facts = facts;
    this.#replicas = replicas;
    this.#writer = writer;
    this.#reader = reader;
    for (const link of [writer, reader])
      link.onEnd(() => this.end(new RedisUnknown('lost', 'The connection to Redis has ended.')));
  }

  /**
   * `atLeast`: replicas to count where there is no Sentinel to ask, even if fewer are connected. Rejects when there is no
   * primary, or it is refused (RedisRefused), within the deadline.
   */
  static async open(setup: Setup, attempt: number, atLeast: number): Promise<Connection> {
    const { settings, scripts, beatKey, prepare } = setup;
    const { address, promotable } = await findPrimary(settings, attempt);
    const links: Link[] = [];
    const late = new Error(`Redis at ${address.host}:${address.port} did not answer within ${settings.connectMs} ms.`);
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      for (const link of links) link.destroy();
    }, settings.connectMs + settings.waitMs);
    try {
      for (let i = 0; i < 2; i++) links.push(await Link.open(address, settings));
      const [writer, reader] = links as [Link, Link];
      const facts = await checkServer(writer, address, settings);
      const other = parseInfo(String(await reader.call('INFO', 'server'))).get('run_id');
      if (other !== facts.runId) throw new Error('The server was exchanged while a connection was being made.');
      await Promise.all(scripts.map((script) => load(writer, script)));
      const replicas = settings.replicas ?? Math.max(facts.replicas, promotable ?? atLeast);
      const connection = new Connection(setup, facts, replicas, writer, reader);
      // A primary that was left behind looks well until something has to be counted.
      await connection.#send(beat(beatKey));
      await prepare(connection);
      if (connection.#ended !== null) throw connection.#ended;
      return connection;
    } catch (error) {
      for (const link of links) link.destroy();
      throw expired && !(error instanceof RedisRefused) ? late : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Replicas that a write is counted on. */
  get replicas(): number {
    return this.#replicas;
  }

  /** What the server uses and may use, bytes; null before it has been asked. */
  get memory(): { readonly used: number; readonly limit: number } | null {
    return this.#memory;
  }

  get ended(): boolean {
    return this.#ended !== null;
  }

  /** Called once with the reason when it has ended; at once if it has already. */
  onEnd(listener: (why: RedisUnknown) => void): void {
    this.#onEnd = listener;
    if (this.#ended !== null) listener(this.#ended);
  }

  /** Groups sent and not answered yet. */
  get groups(): number {
    return this.#groups.length;
  }

  /** Sends writes as one group with one WAIT behind it. */
  write(writes: readonly Write[]): void {
    const { durability, waitMs, deadlineMs } = this.#settings;
    const count = { durability, waitMs, replicas: this.#replicas };
    const group = new WriteGroup(writes, count, performance.now() + deadlineMs, (settled) => this.#settled(settled));
    if (this.#ended !== null) return group.fail(this.#ended);
    this.#groups.push(group);
    this.#writer.send(group.encode(), group, group.commands);
  }

  read(reads: readonly Write[]): void {
    const batch = new ReadBatch(reads, performance.now() + this.#settings.deadlineMs, (answered, left) => {
      if (left === 0) remove(this.#batches, answered);
    });
    if (this.#ended !== null) return batch.fail(this.#ended);
    this.#batches.push(batch);
    this.#reader.send(batch.encode(), batch, batch.commands);
  }

  counted(script: Script, keys: readonly Arg[], args: readonly Arg[]): Promise<Reply> {
    return this.#send(callScript(script, keys, args));
  }

  /** Ends the connection when the oldest thing sent is late. */
  checkDeadlines(now: number): void {
    const oldest = Math.min(this.#groups[0]?.expires ?? now, this.#batches[0]?.expires ?? now);
    if (oldest < now) this.end(new RedisUnknown('late', 'Redis did not answer in time.'));
  }

  /**
   * Asks the server how it is. Replicas that have come into step since are counted from now on; never fewer: that takes a
   * new connection.
   */
  look(): void {
    const done = (reply: Reply | RedisUnknown): void => {
      if (reply instanceof RedisUnknown) return;
      const info = parseInfo(String(reply));
      this.#memory = { used: Number(info.get('used_memory')), limit: Number(info.get('maxmemory')) };
      if (this.#settings.replicas === null) this.#replicas = Math.max(this.#replicas, replicasInStep(info, true));
    };
    const parts = ['INFO', 'replication', 'memory'];
    this.read([{ parts, bytes: commandBytes(parts), done }]);
  }

  /** All that is under way is unknown. */
  end(why: RedisUnknown): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    this.#writer.destroy();
    this.#reader.destroy();
    for (const group of this.#groups.splice(0)) group.fail(why);
    for (const batch of this.#batches.splice(0)) batch.fail(why);
    this.#onEnd?.(why);
  }

  #send(parts: readonly Arg[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const done = (reply: Reply | RedisUnknown): void =>
        reply instanceof RedisUnknown ? reject(reply) : resolve(reply);
      this.write([{ parts, bytes: commandBytes(parts), done }]);
    });
  }

  #settled(group: WriteGroup): void {
    remove(this.#groups, group);
    if (group.broken !== null) return this.end(group.broken);
    this.heardAt = performance.now();
    this.#onWritten?.((this.heardAt - (group.expires - this.#settings.deadlineMs)) / 1000);
    this.onRoom?.();
  }
}

/** A write that says nothing but that the server is still what it was. */
export function beat(key: string): Arg[] {
  return ['SET', key, String(Date.now())];
}

async function load(link: Link, script: Script): Promise<void> {
  const sha = String(await link.call('SCRIPT', 'LOAD', script.source));
  if (sha !== script.sha) throw new Error(`Redis gave ${script.name} another hash.`);
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
