import { setTimeout as sleep } from 'node:timers/promises';
import type { RunContext } from '../scenario.ts';
import { FAULTS, type FaultName } from './faults.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
const STEPS = [2, 4] as const;
const LASTS_MS = [200, 2600] as const;

/** What began last ends first: nothing can be asked of a server that is still frozen. */
async function ended(begun: Map<FaultName, () => Promise<void>>): Promise<void> {
  for (const [name, end] of [...begun].reverse()) {
    await end();
    begun.delete(name);
  }
}

/** Any faults, some of them at once, as the seed says. */
export function mixed(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  return onCluster(context, { shards: 2, routers: 2 }, async (run) => {
    const { load } = run;
    await load.found(2, 2);
    load.start(CLIENTS);
    const begun = new Map<FaultName, () => Promise<void>>();
    for (let i = random.int(...STEPS); i > 0; i--) {
      await Promise.race([load.receipts(random.int(5, 30)).catch(() => {}), sleep(LASTS_MS[1])]);
      const name = random.pick((Object.keys(FAULTS) as FaultName[]).filter((one) => !begun.has(one)));
      begun.set(name, await FAULTS[name](run));
      tally.add(`mixed: ${name}`);
      await sleep(random.int(...LASTS_MS));
      if (random.chance(0.4)) continue;
      await ended(begun);
    }
    await ended(begun);
    await run.cluster.mend();
    await load.served();
  });
}
