import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../../cluster/redis/redis-place.ts';
import { Link, type Reply } from '../../redis/link.ts';
import { type RedisSettings, settle } from '../../redis/redis-settings.ts';
import type { RedisStore } from '../../redis/redis-store.ts';
import { parseInfo } from '../../redis/server-check.ts';
import { SERVER } from './keys.ts';
import { REWRITTEN } from './scripts.ts';

/** How often the progress of a rewrite is looked at, ms. */
const POLL_MS = 200;
/** A server that takes longer for one answer hangs, ms. */
const ANSWER_MS = 2500;
/** A rewrite that takes longer is looked at again at the next turn. */
const REWRITE_MS = 600_000;

export interface AofRewriterOptions {
  readonly store: RedisStore;
  readonly settings: RedisSettings;
  /** ms from an erasure to the rewrite, at most */
  readonly withinMs: number;
  readonly onFailure: (reason: string) => void;
}

/**
 * An append-only file keeps what was erased until it is rewritten. So the erasures are counted in Redis, and whoever finds
 * that the oldest has waited long enough has the primary and its replicas rewrite their files. A crash, or two processes
 * that do it at once, cost a rewrite more, never one less: the count is taken before and crossed off after.
 */
export class AofRewriter {
  readonly #options: AofRewriterOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: AofRewriterOptions) {
    this.#options = options;
    // A random share of the time keeps processes apart.
    const every = options.withinMs / 4;
    this.#timer = setInterval(() => this.#look(), Math.max(10, every * (0.5 + Math.random() / 2))).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#running;
  }

  #look(): void {
    this.#running ??= this.#rewrite()
      .catch((error: Error) => {
        if (!this.#closing.signal.aborted) this.#options.onFailure(error.message);
      })
      .finally(() => {
        this.#running = null;
      });
  }

  async #rewrite(): Promise<void> {
    const { store, withinMs } = this.#options;
    const [erased, since] = (await store.fetch('HMGET', SERVER, 'erased', 'erasedSince')) as (Buffer | null)[];
    if (!erased || !since || Date.now() - Number(since) < withinMs / 2) return;
    const began = Date.now();
    const primary = store.server?.address;
    if (primary === undefined) return;
    const replicas = parseInfo(String(await store.fetch('INFO', 'replication')));
    for (const address of [primary, ...replicaAddresses(replicas)]) await this.#rewriteOne(address);
    await store.counted(REWRITTEN, [SERVER], [String(erased), String(began)]);
  }

  /** Resolves when a rewrite that began after this call has ended well. */
  async #rewriteOne(address: RedisServer): Promise<void> {
    const link = await Link.open(address, settle(this.#options.settings));
    const until = Date.now() + REWRITE_MS;
    const end = (): void => link.destroy();
    this.#closing.signal.addEventListener('abort', end);
    try {
      await this.#idle(link, address, until);
      await this.#ask(link, address, 'BGREWRITEAOF');
      const info = await this.#idle(link, address, until);
      if (info.get('aof_last_bgrewrite_status') !== 'ok')
        throw new Error(`Redis at ${address.host}:${address.port} could not rewrite its append-only file.`);
    } finally {
      this.#closing.signal.removeEventListener('abort', end);
      link.destroy();
    }
  }

  /** A server that keeps its connections and answers nothing would be waited for as long as it likes. */
  async #ask(link: Link, { host, port }: { host: string; port: number }, ...command: string[]): Promise<Reply> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      link.destroy();
    }, ANSWER_MS);
    try {
      return await link.call(...command);
    } catch (error) {
      throw late ? new Error(`Redis at ${host}:${port} does not answer.`) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #idle(link: Link, address: RedisServer, until: number): Promise<Map<string, string>> {
    for (;;) {
      const info = parseInfo(String(await this.#ask(link, address, 'INFO', 'persistence')));
      if (info.get('aof_rewrite_in_progress') === '0' && info.get('aof_rewrite_scheduled') === '0') return info;
      if (Date.now() > until)
        throw new Error(`Redis at ${address.host}:${address.port} does not finish rewriting its append-only file.`);
      await sleep(POLL_MS, null, { signal: this.#closing.signal });
    }
  }
}

/** `slave0:ip=…,port=…,state=online,…` */
function replicaAddresses(info: Map<string, string>): RedisServer[] {
  const addresses: RedisServer[] = [];
  for (const [name, value] of info) {
    if (!/^slave\d+$/.test(name)) continue;
    const fields = new Map(value.split(',').map((field) => field.split('=', 2) as [string, string]));
    addresses.push({ host: fields.get('ip') ?? '', port: Number(fields.get('port')) });
  }
  return addresses;
}
