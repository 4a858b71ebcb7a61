import { join } from 'node:path';
import { BUNDLES } from './crash.ts';
import { countRetries, judge } from './judge.ts';
import { NodeProcess } from './node-process.ts';
import type { RunContext } from './scenario.ts';
import { Address, Workload } from './workload.ts';

/**
 * A second node is started on the folder of one that runs: it takes the log over, and from then on nothing of the first
 * one lands (I5), whatever its clients ask of it.
 */
export async function takeOver({ random, tally, folder }: RunContext): Promise<string[]> {
  const data = join(folder, 'data');
  const [old, fresh] = [new Address(), new Address()];
  const workload = new Workload(old, random);
  const violations: string[] = [];
  const first = await NodeProcess.start({ data });
  let second: NodeProcess | null = null;
  try {
    old.up(first.url);
    for (const bundle of BUNDLES) await workload.found(bundle);
    const clients = Promise.all(Array.from({ length: 3 }, () => workload.client(random.int(150, 250))));
    clients.catch(() => {});
    await Promise.race([workload.receipts(random.int(10, 30)), clients]);
    second = await NodeProcess.start({ data });
    fresh.up(second.url);
    // Clients of both: what the first one still acknowledges must be there too.
    const late = new Workload(fresh, random, workload.history);
    await late.client(random.int(20, 40));
    old.up(second.url);
    await clients;
    const fenced = /enc_append_failures_total\{result="fenced"\} [1-9]/.test(await first.metrics());
    tally.add(fenced ? 'take-over: the first owner was fenced' : 'take-over: the first owner had nothing to append');
    await first.stop();
    violations.push(...(await judge(second.url, workload.history, random, tally)).violations);
  } finally {
    await first.kill();
    await second?.kill();
  }
  countRetries(workload.history, tally);
  return violations;
}
