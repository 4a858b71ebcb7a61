import { setTimeout as sleep } from 'node:timers/promises';
import type { RunContext } from '../scenario.ts';
import { FAULTS, type FaultName } from './faults.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
const STEPS = [2, 4] as const;
const LASTS_MS = [200, 2600] as const;

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
      for (const [ended, end] of begun) {
        await end();
        begun.delete(ended);
      }
    }
    for (const end of begun.values()) await end();
    await run.cluster.mend();
    await load.served();
  });
}
