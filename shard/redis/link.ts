import { type Command, Redis, ReplyError } from 'ioredis';
import type { RedisServer } from '../../cluster/redis/redis-place.ts';
import { commandBytes, writeCommand } from './encode.ts';
import { RedisUnknown } from './redis-errors.ts';
import type { Settled } from './redis-settings.ts';
import type { Arg } from './script.ts';

/** What the server answers: text and values as bytes, integers as numbers. */
export type Reply = Buffer | number | null | Reply[];

/** True for the server's own answer; false when the connection has ended. */
export function isReplyError(error: Error): boolean {
  return error instanceof ReplyError;
}

/**
 * A number of commands that were written as one piece, in the shape in which ioredis queues a command: it hands over one
 * reply per command, in order. No promise, no argument and no closure is made per command, which halves the cost of a
 * small write (measure with `npm run bench -- guard`).
 */
export abstract class Replies {
  /** ioredis looks commands up by name, for those that change the connection's mode: none of ours does */
  readonly name = 'evalsha';
  readonly args: readonly [] = [];
  readonly inTransaction = false;
  readonly promise = undefined;
  /** true: ioredis makes no trace, which would hold the promise */
  isTraced = true;

  abstract resolve(reply: Reply): void;
  /** isReplyError(error), or the connection has ended. */
  abstract reject(error: Error): void;

  setReplyContext(): void {}

  toWritable(): string {
    return '';
  }
}

/** The bytes are written by `Link.send` in one piece, not command by command. */
const WRITTEN_ALREADY = { write: (): boolean => true } as unknown as NonNullable<Parameters<Redis['sendCommand']>[1]>;

/**
 * One TCP connection and nothing else: it never reconnects, queues or resends. When it has ended, every reply that is
 * still owed is an error.
 */
export class Link {
  readonly #redis: Redis;
  #ended = false;
  #onEnd: (() => void) | null = null;

  private constructor(redis: Redis) {
    this.#redis = redis;
    redis.on('end', () => this.#end());
  }

  /** Rejects with the reason when there is no connection within the deadline. */
  static async open(address: RedisServer, settings: LinkSettings): Promise<Link> {
    const redis = new Redis({
      host: address.host,
      port: address.port,
      ...(settings.username === undefined ? {} : { username: settings.username }),
      ...(settings.password === undefined ? {} : { password: settings.password }),
      ...(settings.tls === undefined ? {} : { tls: settings.tls }),
      db: settings.db ?? 0,
      protocol: 2,
      lazyConnect: true,
      connectTimeout: settings.connectMs,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      disableClientInfo: true,
    });
    let reason: Error | null = null;
    redis.on('error', (error: Error) => {
      reason ??= error;
    });
    const timer = setTimeout(() => redis.disconnect(), settings.connectMs);
    try {
      await redis.connect();
      return new Link(redis);
    } catch (error) {
      redis.disconnect();
      throw reason ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Called once, when the connection has ended; at once if it has already. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
    if (this.#ended) listener();
  }

  /** Writes `count` commands whose encoded bytes are `bytes`; `replies` gets one reply, or error, for each. */
  send(bytes: Buffer, replies: Replies, count: number): void {
    for (let i = 0; i < count; i++) this.#redis.sendCommand(replies as unknown as Command, WRITTEN_ALREADY);
    if (!this.#ended) this.#redis.stream.write(bytes);
  }

  /** One command, for what is rare. Rejects with the server's error, or RedisUnknown when the connection has ended. */
  call(...parts: Arg[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.allocUnsafe(commandBytes(parts));
      writeCommand(bytes, parts, 0);
      this.send(bytes, new OneReply(resolve, reject), 1);
    });
  }

  /** Ends it at once: nothing that was sent before can be counted any more. */
  destroy(): void {
    this.#redis.disconnect();
    this.#redis.stream?.destroy();
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd?.();
  }
}

export type LinkSettings = Pick<Settled, 'connectMs' | 'username' | 'password' | 'tls' | 'db'>;

class OneReply extends Replies {
  readonly #done: (reply: Reply) => void;
  readonly #failed: (error: Error) => void;

  constructor(done: (reply: Reply) => void, failed: (error: Error) => void) {
    super();
    this.#done = done;
    this.#failed = failed;
  }

  override resolve(reply: Reply): void {
    this.#done(reply);
  }

  override reject(error: Error): void {
    this.#failed(isReplyError(error) ? error : new RedisUnknown('lost', 'The connection to Redis has ended.'));
  }
}
