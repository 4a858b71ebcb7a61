import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { redisOptions } from '../redis/redis-options.ts';
import { isTopology, NO_TOPOLOGY, type Topology } from './topology.ts';
import type { Beat, Sight, TopologyStore } from './topology-store.ts';

/** All keys share one hash tag, so that a script may use any of them in a Redis Cluster. */
const PREFIX = '{enc:cluster}';
const TOPOLOGY_KEY = `${PREFIX}:topology`;
const beatKey = (shard: number): string => `${PREFIX}:beat:${shard}`;

/** A store that takes longer is as good as none: what was seen last counts on, ms. */
const COMMAND_MS = 1000;
const MAX_BACKOFF_MS = 1000;

const lua = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

interface Commands {
  encPublish(key: string, version: number, shards: number): Promise<number>;
  encWithdraw(key: string, process: string): Promise<number>;
}

/** The topology in Redis: a hash, and a key that expires for every shard's heartbeat. Nothing here needs to be durable. */
export class RedisTopology implements TopologyStore {
  readonly #redis: Redis & Commands;

  /** `onError`: told when the connection is lost, once each time. */
  constructor(url: string, onError: (message: string) => void) {
    const options = {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_MS,
      connectTimeout: COMMAND_MS,
      retryStrategy: (times: number) => Math.min(times * 50, MAX_BACKOFF_MS),
    };
    const redis = new Redis({ ...options, ...redisOptions(url) });
    let down = false;
    redis.on('error', (error: Error) => {
      if (!down) onError(error.message);
      down = true;
    });
    redis.on('ready', () => {
      down = false;
    });
    redis.defineCommand('encPublish', { numberOfKeys: 1, lua: lua('publish.lua') });
    redis.defineCommand('encWithdraw', { numberOfKeys: 1, lua: lua('withdraw.lua') });
    this.#redis = redis as Redis & Commands;
  }

  /** Resolves when the first connection stands; rejects after `ms`. */
  async connected(ms: number): Promise<void> {
    if (this.#redis.status === 'ready') return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        this.#redis.off('ready', ready);
        reject(new Error('Redis does not answer: check the topology URL'));
      }, ms);
      const ready = (): void => {
        clearTimeout(late);
        resolve();
      };
      this.#redis.once('ready', ready);
    });
  }

  async look(shards: number): Promise<Sight> {
    const [fields, first] = await Promise.all([this.#topology(), this.#beats(0, shards)]);
    const rest = fields.shards > shards ? await this.#beats(shards, fields.shards) : [];
    return { topology: fields, beats: new Map([...first, ...rest]) };
  }

  async publish(version: number, shards: number): Promise<boolean> {
    return (await this.#redis.encPublish(TOPOLOGY_KEY, version, shards)) === 1;
  }

  async beat(shard: number, beat: Beat, validMs: number): Promise<void> {
    await this.#redis.set(beatKey(shard), JSON.stringify(beat), 'PX', validMs);
  }

  async withdraw(shard: number, process: string): Promise<void> {
    await this.#redis.encWithdraw(beatKey(shard), process);
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }

  async #topology(): Promise<Topology> {
    const [version, shards, before] = await this.#redis.hmget(TOPOLOGY_KEY, 'version', 'shards', 'before');
    const topology = { version: Number(version), shards: Number(shards), before: Number(before) };
    return isTopology(topology) ? topology : NO_TOPOLOGY;
  }

  async #beats(from: number, to: number): Promise<[number, Beat][]> {
    if (from >= to) return [];
    const keys = Array.from({ length: to - from }, (_, i) => beatKey(from + i));
    const values = await this.#redis.mget(keys);
    return values.flatMap((value, i): [number, Beat][] => {
      const beat = value === null ? null : parseBeat(value);
      return beat === null ? [] : [[from + i, beat]];
    });
  }
}

function parseBeat(text: string): Beat | null {
  try {
    const { url, process, topology, active, guests, silent = [], recovering = [] } = JSON.parse(text) as Partial<Beat>;
    if (typeof url !== 'string' || typeof process !== 'string') return null;
    if (!Array.isArray(silent) || !Array.isArray(recovering)) return null;
    const counts = { topology: Number(topology), active: Number(active), guests: Number(guests) };
    return { url, process, ...counts, silent: silent.map(String), recovering: recovering.map(String) };
  } catch {
    return null;
  }
}
