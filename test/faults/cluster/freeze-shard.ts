import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../parts/wait-for.ts';
import type { RunContext } from '../scenario.ts';
import { metricOf, type ShardPart } from './fault-cluster.ts';
import { FENCED } from './faults.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
/** Longer than a heartbeat counts and Redis is waited for; and longer than the caller's deadline. */
const FREEZES_MS = [3000, 3000, 9000] as const;
const REFUSED_MS = 10_000;

/**
 * SIGSTOP for longer than any time-out, and SIGCONT: meanwhile another shard has taken the enclaves over, and of what the
 * sleeper still held nothing lands. Once under load, when what it had sent to Redis is lost to it, and once while nothing
 * was under way but an open bundle, which it closes when it wakes: with a connection that is as good as ever.
 */
export function freezeShard(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  return onCluster(context, { shards: 2, routers: 1 }, async ({ cluster, load, say }) => {
    await load.found(2, 3);
    load.start(CLIENTS);
    for (const quiet of random.chance(0.5) ? [true, false] : [false, true]) {
      await load.receipts(random.int(20, 60));
      const zombie = random.pick(cluster.shards) as ShardPart;
      const { node } = zombie;
      if (!node) throw new Error('no shard was killed');
      const before = await metricOf(node, FENCED);
      const enclaves = load.firstOf(zombie.shard, 2);
      if (quiet)
        await load.quietly(async () => {
          await load.served(enclaves);
          node.freeze();
        });
      else node.freeze();
      const frozen = sleep(random.pick(FREEZES_MS));
      await load.served();
      await frozen;
      node.thaw();
      tally.add('frozen shard came back');
      // What it has open is no longer its own: by its next append, or as its Redis is lost to it, it lets go of all of it.
      const noticed = async (): Promise<boolean> =>
        (await metricOf(node, FENCED)) > before || (await metricOf(node, 'enc_active_enclaves')) === 0;
      await waitFor('the zombie to notice', REFUSED_MS, noticed).catch((error: Error) => say(`I5 ${error.message}`));
      tally.add('zombie append refused', (await metricOf(node, FENCED)) - before);
    }
  });
}
