import type { Counter, Histogram } from 'prom-client';
import { LATENCY, type Meters } from '../cluster/metrics/meters.ts';
import type { RedisMeter, RedisState } from './redis/redis-meter.ts';

/** Why Redis did not do it (redis/redis-errors.ts); that the store was closed is nobody's fault. */
const REASONS = ['unreachable', 'offline', 'full', 'short', 'lost', 'late', 'refused'] as const;

type Which = Record<'store' | 'server', string>;

/**
 * The metrics of the stores, in the data folder or in Redis. `store`: log, guard or keys; `server`: of several Redis
 * servers for the log its place in the list, else 0.
 */
export class StoreMetrics {
  readonly #meters: Meters;
  readonly #write: Histogram<'store' | 'server'>;
  readonly #watched: (readonly [Which, RedisState])[] = [];
  #failures: Counter<'store' | 'server' | 'reason'> | null = null;

  constructor(meters: Meters) {
    this.#meters = meters;
    this.#write = meters.histograms(
      'enc_store_write_seconds',
      'sending a group of writes until it is durable: synced by the disk, or counted by Redis on its replicas',
      ['store', 'server'],
      LATENCY,
    );
  }

  /** Who measures a store of the data folder: told how long each group of writes took. */
  disk(store: 'log' | 'guard'): (seconds: number) => void {
    const which = { store, server: '0' };
    this.#write.zero(which);
    return (seconds) => this.#write.observe(which, seconds);
  }

  redis(store: 'log' | 'guard' | 'keys', server = 0): RedisMeter {
    const which = { store, server: String(server) };
    this.#failures ??= this.#redis();
    const failures = this.#failures;
    for (const reason of REASONS) failures.inc({ ...which, reason }, 0);
    this.#write.zero(which);
    return {
      watch: (state) => void this.#watched.push([which, state]),
      wrote: (seconds) => this.#write.observe(which, seconds),
      failed: (reason) => {
        if (reason !== 'closed') failures.inc({ ...which, reason });
      },
    };
  }

  /** What only stores in Redis have. */
  #redis(): Counter<'store' | 'server' | 'reason'> {
    const labels = ['store', 'server'] as const;
    const gauges = (name: string, help: string, read: (state: RedisState) => number | null): void =>
      this.#meters.gauges(name, help, labels, () =>
        this.#watched.flatMap(([which, state]) => {
          const value = read(state);
          return value === null ? [] : [[which, value] as const];
        }),
      );
    gauges('enc_redis_connected', '1 while there is a connection to a primary that may be used', ({ generation }) =>
      generation > 0 ? 1 : 0,
    );
    gauges('enc_redis_replicas', 'replicas that each write is counted on', ({ replicas }) => Math.max(0, replicas));
    gauges('enc_redis_unheard_seconds', 'since the last counted answer', ({ heardAt }) =>
      Number.isFinite(heardAt) ? (performance.now() - heardAt) / 1000 : null,
    );
    gauges('enc_redis_queued_writes', 'writes that wait to be sent', ({ queued }) => queued);
    gauges('enc_redis_memory_bytes', 'memory that the server uses', ({ memory }) => memory?.used ?? null);
    gauges(
      'enc_redis_memory_limit_bytes',
      'memory that the server may use, 0 = no limit',
      ({ memory }) => memory?.limit ?? null,
    );
    return this.#meters.counters(
      'enc_redis_failures_total',
      'connections that ended or could not be made, and writes that were refused at once, by reason',
      { store: [], server: [], reason: REASONS },
    );
  }
}
