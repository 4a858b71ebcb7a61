import { commandBytes, writeCommand } from './encode.ts';
import { isReplyError, Replies, type Reply } from './link.ts';
import { RedisUnknown } from './redis-errors.ts';
import type { Arg } from './script.ts';

/** Called once: with the reply when the write is durable as counted, else with why it may not be. Must not throw. */
export type Done = (reply: Reply | RedisUnknown) => void;

export interface Write {
  readonly parts: readonly Arg[];
  /** commandBytes(parts) */
  readonly bytes: number;
  readonly done: Done;
}

/** What a group asks of the server behind its writes. */
export interface Count {
  readonly durability: 'WAIT' | 'WAITAOF';
  readonly replicas: number;
  readonly waitMs: number;
}

/** These say that the server is not the one that we took it for: another look is due before the next write. */
const MISPLACED = /^(NOSCRIPT|READONLY|MOVED|ASK|LOADING|MASTERDOWN|NOREPLICAS|NOAUTH|NOPERM|UNBLOCKED)\b/;

/**
 * The writes of one tick and the one WAIT behind them, on one connection. Nothing of it is answered before the WAIT is;
 * then each write gets its reply, or all are unknown: too few replicas, connection lost, deadline.
 */
export class WriteGroup extends Replies {
  readonly #writes: readonly Write[];
  readonly #count: Count;
  readonly #onSettled: (group: WriteGroup) => void;
  readonly #replies: (Reply | Error)[] = [];
  /** performance.now() after which it is late */
  readonly expires: number;
  /** why the connection must end, null if it may go on */
  broken: RedisUnknown | null = null;
  #settled = false;

  constructor(writes: readonly Write[], count: Count, expires: number, onSettled: (group: WriteGroup) => void) {
    super();
    this.#writes = writes;
    this.#count = count;
    this.expires = expires;
    this.#onSettled = onSettled;
  }

  /** Commands sent: the writes and the WAIT. */
  get commands(): number {
    return this.#writes.length + 1;
  }

  encode(): Buffer {
    const { durability, replicas, waitMs } = this.#count;
    const wait = durability === 'WAIT' ? ['WAIT'] : ['WAITAOF', '1'];
    wait.push(String(replicas), String(waitMs));
    let bytes = commandBytes(wait);
    for (const write of this.#writes) bytes += write.bytes;
    const out = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const write of this.#writes) at = writeCommand(out, write.parts, at);
    writeCommand(out, wait, at);
    return out;
  }

  override resolve(reply: Reply): void {
    this.#take(reply);
  }

  override reject(error: Error): void {
    if (isReplyError(error)) this.#take(error);
    else this.fail(new RedisUnknown('lost', 'The connection to Redis has ended before it answered.'));
  }

  /** All of it is unknown, and the connection must end. */
  fail(unknown: RedisUnknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.broken = unknown;
    // First what was sent first: ending the connection fails the groups behind this one.
    for (const write of this.#writes) write.done(unknown);
    this.#onSettled(this);
  }

  #take(reply: Reply | Error): void {
    if (this.#settled) return;
    if (this.#replies.length < this.#writes.length) this.#replies.push(reply);
    else this.#counted(reply);
  }

  #counted(wait: Reply | Error): void {
    const short = this.#short(wait);
    if (short !== null) return this.fail(new RedisUnknown('short', short));
    this.#settled = true;
    for (const reply of this.#replies)
      if (reply instanceof Error && MISPLACED.test(reply.message)) this.broken ??= refusal(reply);
    // The next group is on its way before the callbacks of this one run, unless there is none.
    if (this.broken === null) this.#onSettled(this);
    for (const [i, write] of this.#writes.entries()) {
      const reply = this.#replies[i] as Reply | Error;
      write.done(reply instanceof Error ? refusal(reply) : reply);
    }
    if (this.broken !== null) this.#onSettled(this);
  }

  #short(wait: Reply | Error): string | null {
    if (wait instanceof Error) return `Redis did not count: ${wait.message}`;
    const [synced, replicas] = Array.isArray(wait) ? wait.map(Number) : [1, Number(wait)];
    if ((synced ?? 0) < 1) return 'The primary had not synced the write in time.';
    const need = this.#count.replicas;
    return (replicas ?? 0) >= need ? null : `${replicas} of ${need} replicas had the write in time.`;
  }
}

function refusal(error: Error): RedisUnknown {
  return new RedisUnknown('refused', error.message);
}
