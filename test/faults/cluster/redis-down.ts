import { setTimeout as sleep } from 'node:timers/promises';
import type { RunContext } from '../scenario.ts';
import { FAULTS, STORE_FAULTS } from './faults.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
/** A fault is there for certain so soon after it has begun, ms. */
const BEGUN_MS = 100;

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
      const begun = Date.now() + BEGUN_MS;
      await sleep(random.int(1200, 4200));
      const made = load.acknowledgedSince(begun);
      if (made.length > 0) say(`I1 commits were accepted and acknowledged with the ${name}: ${made.join(', ')}`);
      await end();
      await load.served();
    }
    const end = await FAULTS['links slow'](run);
    await load.receipts(random.int(10, 30));
    await load.served();
    await end();
  });
}
