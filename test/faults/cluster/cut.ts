import type { RunContext } from '../scenario.ts';
import { CUTS, FAULTS } from './faults.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;

/**
 * A shard is cut off, from all routers, from one of two, from the log or the guard, wholly or in one direction: another
 * candidate takes its enclaves over, and the old one, which runs on, is fenced.
 */
export function cut(context: RunContext): Promise<string[]> {
  const { random } = context;
  return onCluster(context, { shards: 2, routers: 2 }, async (run) => {
    const { load } = run;
    await load.found(2, 3);
    load.start(CLIENTS);
    for (let i = 0; i < 2; i++) {
      await load.receipts(random.int(20, 50));
      const end = await FAULTS[random.pick(CUTS)](run);
      await load.served();
      await end();
      await load.receipts(random.int(10, 30));
    }
  });
}
