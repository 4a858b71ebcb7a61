import type { RedisPlace } from '../../cluster/redis/redis-place.ts';

/** A Redis that must not lose what it has acknowledged: the log's or the guard's (ARCHITECTURE §3). */
export interface RedisSettings extends RedisPlace {
  /** replicas that must have a write before it counts; null: every promotable one (replica-count.ts) */
  readonly replicas?: number | null;
  /** WAITAOF (Redis ≥ 7.2, Valkey) also asks the replicas whether they have synced, one round trip more; default WAIT */
  readonly durability?: 'WAIT' | 'WAITAOF';
  /** how long the server waits for its replicas before the count is short; default 1,000 ms */
  readonly waitMs?: number;
  /** from sending a group of writes, or a read, to its last reply; default 2,500 ms, more than waitMs */
  readonly deadlineMs?: number;
  /** for one connection, checks and scripts included; default 2,000 ms */
  readonly connectMs?: number;
  /** a write is sent when none was counted for so long, so that a dead or stale server is noticed; default 500 ms */
  readonly beatMs?: number;
  /** writes waiting to be sent; what comes on top is refused at once; default 16,384 and 128 MiB */
  readonly maxQueued?: number;
  readonly maxQueuedBytes?: number;
  /** reads not answered yet; default 16,384 */
  readonly maxReads?: number;
  /** groups sent and not answered yet; default 2 */
  readonly maxGroups?: number;
  /** connects also to a server whose settings lose writes */
  readonly allowUnsafe?: boolean;
}

export type Settled = Required<Pick<RedisSettings, keyof typeof DEFAULTS>> & RedisSettings;

const DEFAULTS = {
  replicas: null as number | null,
  durability: 'WAIT' as 'WAIT' | 'WAITAOF',
  waitMs: 1000,
  deadlineMs: 2500,
  connectMs: 2000,
  beatMs: 500,
  maxQueued: 16_384,
  maxQueuedBytes: 128 * 1024 * 1024,
  maxReads: 16_384,
  maxGroups: 2,
  allowUnsafe: false,
};

/** With the defaults filled in; throws a sentence when two of them contradict each other. */
export function settle(settings: RedisSettings): Settled {
  const settled = { ...DEFAULTS, ...settings };
  if (settled.waitMs < 1) throw new Error('waitMs must be at least 1: WAIT 0 would wait for ever.');
  if (settled.deadlineMs <= settled.waitMs * (settled.durability === 'WAIT' ? 1 : 2))
    throw new Error(
      'deadlineMs must be more than waitMs (WAITAOF: twice that): else every late replica looks like a lost server.',
    );
  if ('sentinels' in settled.at && settled.at.sentinels.length === 0)
    throw new Error('Name at least one Sentinel, or the address of the Redis server itself.');
  return settled;
}
