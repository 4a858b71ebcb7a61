import { setTimeout as sleep } from 'node:timers/promises';
import type { RunContext } from '../scenario.ts';
import { FAULTS, STORE_FAULTS } from './faults.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
/** What was durable when the fault began is still answered within this time, ms. */
const ANSWERED_MS = 700;

/**
 * The log or the guard is unreachable, hangs, dies, has no memory or no disk left: nothing is acknowledged, and when it is
 * back everything goes on by itself. While it is only slow, it goes on more slowly.
 */
export function redisDown(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  return onCluster(context, { shards: 2, routers: 1 }, async (run) => {
    const { load, say } = run;
    await load.found(2, 2);
    load.start(CLIENTS);
    for (let i = 0; i < 2; i++) {
      await load.receipts(random.int(20, 50));
      const name = random.pick(STORE_FAULTS);
      const end = await FAULTS[name](run);
      tally.add(name);
      await sleep(ANSWERED_MS);
      const before = load.workload.acknowledged;
      await sleep(random.int(500, 3500));
      const more = load.workload.acknowledged - before;
      if (more > 0) say(`I1 ${more} commits were acknowledged with the ${name}`);
      await end();
      await load.served();
    }
    const end = await FAULTS['links slow'](run);
    await load.receipts(random.int(10, 30));
    await load.served();
    await end();
  });
}
