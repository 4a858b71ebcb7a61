import type { RedisStore } from '../redis/redis-store.ts';

/** cluster/topology/redis-topology.ts */
const HEARTBEATS = '{enc:cluster}:beat:*';

/**
 * Rejects if shards run on these servers: they say that they live in the Redis of the topology, which is the first log's
 * as a rule.
 */
export async function nobodyRuns(stores: readonly RedisStore[]): Promise<void> {
  for (const store of stores) {
    for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
      const found = (await store.fetch('SCAN', cursor, 'MATCH', HEARTBEATS, 'COUNT', '1000')) as [Buffer, Buffer[]];
      if (found[1].length > 0) throw new Error('Shards are running: stop all of them first.');
      cursor = String(found[0]);
    }
  }
}
