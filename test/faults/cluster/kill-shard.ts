import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../parts/wait-for.ts';
import { makePlan } from '../crash.ts';
import type { RunContext } from '../scenario.ts';
import type { ShardPart } from './fault-cluster.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
/** An enclave goes back 10 s after it came, at the earliest. */
const TAKEN_BACK_MS = 30_000;

/**
 * kill -9 of shards under load, the first time at an aimed moment: another shard takes their enclaves over, and what had
 * been acknowledged is there. When the first choice has its enclaves back, the other one dies.
 */
export async function killShard(context: RunContext): Promise<string[]> {
  const { random, folder, tally } = context;
  const hits = join(folder, 'hits');
  const plan = makePlan(random, hits, random.chance(0.5) ? 'append' : 'advance');
  const violations = await onCluster(context, { shards: 2, routers: 1, plans: [plan] }, async ({ cluster, load }) => {
    const [aimed, other] = cluster.shards as [ShardPart, ShardPart];
    await load.found(2, 2);
    load.start(CLIENTS);
    // It dies by its plan; where the load takes too long to get there, by force.
    await Promise.race([aimed.node?.ended, load.receipts(150)]);
    await cluster.kill(aimed);
    tally.add('kill -9 of a shard');
    await load.served();
    await cluster.startShard(aimed);
    const gone = (): Promise<boolean> => cluster.count('enc_given_back_total').then((count) => count > 0);
    await waitFor('what was taken over to be given back', TAKEN_BACK_MS, gone);
    await load.served();
    await load.receipts(random.int(10, 40));
    await cluster.kill(other);
    tally.add('kill -9 of a shard');
    await load.served();
  });
  if (existsSync(hits)) for (const line of readFileSync(hits, 'utf8').split('\n')) if (line) tally.add(line);
  return violations;
}
