import type { BenchResult } from './result.ts';

/** Cores of a shard's machine, share of them that is in use at the planned load, and shards that are planned for. */
const SHARD_CORES = 2;
const BUSY = 0.6;
const FLEETS = [1, 10, 100];
/** A Redis uses one core, and a router too. Memory of a Redis machine that data may fill, bytes. */
const REDIS_MEMORY = 48 * 2 ** 30;
/** what is stored in the table: enclaves of each shard, and events of each that are not trimmed yet */
const ENCLAVES_PER_SHARD = 100_000;
const EVENTS_EACH = 100;

/**
 * What fleets need, computed from the rows of cluster, redis-log and guard (docs/capacity.md has the formulas in words).
 * The costs are those of traffic over many enclaves, where nearly every commit is a batch of its own. Empty when a row that
 * it needs was not measured.
 */
export function capacity(results: readonly BenchResult[]): BenchResult[] {
  const value = (name: string, field: string): number => Number(results.find((row) => row.name === name)?.[field]);
  const commit = {
    shard: value('cluster-stored', 'shard_us'),
    router: value('cluster-stored', 'router_us'),
    log: value('cluster-stored', 'log_us'),
    guard: value('cluster-stored', 'guard_us'),
  };
  const enclave = value('cluster-idle', 'log_bytes');
  const row = value('cluster-idle', 'guard_bytes');
  const event = value('redis-log-event-1', 'event_bytes');
  const disk = value('cluster-idle', 'log_disk_bytes');
  const eventDisk = value('redis-log-event-1', 'file_bytes');
  if ([...Object.values(commit), enclave, row, event, disk, eventDisk].some(Number.isNaN)) return [];
  return FLEETS.map((shards) => {
    const perShard = (SHARD_CORES * BUSY * 1e6) / commit.shard;
    const rate = shards * perShard;
    const enclaves = shards * ENCLAVES_PER_SHARD;
    const logMemory = enclaves * (enclave + EVENTS_EACH * event);
    const byCpu = (us: number): number => (rate * us) / (BUSY * 1e6);
    return {
      name: `capacity-${shards}`,
      what: `${shards} shards of ${SHARD_CORES} cores, ${BUSY * 100} % busy, ${ENCLAVES_PER_SHARD} enclaves each with ${EVENTS_EACH} events in the log`,
      shards,
      rate,
      enclaves,
      routers: Math.ceil(byCpu(commit.router)),
      log_servers: Math.ceil(Math.max(byCpu(commit.log), logMemory / REDIS_MEMORY)),
      log_servers_by_cpu: byCpu(commit.log),
      log_servers_by_memory: logMemory / REDIS_MEMORY,
      guard_servers: byCpu(commit.guard),
      log_gib: logMemory / 2 ** 30,
      guard_gib: (enclaves * row) / 2 ** 30,
      log_disk_gib: (enclaves * (disk + EVENTS_EACH * eventDisk)) / 2 ** 30,
    };
  });
}
