import { inStep, namedPrimary } from '../../parts/redis.ts';
import { waitFor } from '../../parts/wait-for.ts';
import type { RunContext } from '../scenario.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
const PROMOTED_MS = 30_000;

/**
 * The log's primary is killed (or frozen) under load, and Sentinel promotes a replica, which has all that was acknowledged.
 * The former primary comes back as a replica; in some runs the new one then dies as well.
 */
export function redisPromoted(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  const options = { shards: 2, routers: 1, replicas: random.int(1, 2), sentinel: true };
  return onCluster(context, options, async ({ cluster, load }) => {
    const servers = [cluster.log.primary, ...cluster.log.replicas];
    await load.found(2, 2);
    load.start(CLIENTS);
    let primary = cluster.log.primary;
    for (let i = random.chance(0.3) ? 2 : 1; i > 0; i--) {
      await load.receipts(random.int(20, 60));
      const old = primary;
      const freezes = random.chance(0.3);
      if (freezes) old.freeze();
      else await old.kill();
      primary = await waitFor('Sentinel to promote a replica', PROMOTED_MS, async () => {
        const named = await namedPrimary(cluster.sentinels, servers);
        return named === old ? null : named;
      });
      tally.add('Redis promoted with all data');
      await load.served();
      if (freezes) old.thaw();
      else await old.start();
      // Sentinel takes 10 s until it tells a former primary whom to follow.
      if (i > 1) await inStep(primary, servers.length - 1);
      await load.receipts(random.int(10, 30));
    }
  });
}
