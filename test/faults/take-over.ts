import { join } from 'node:path';
import { BUNDLES } from './crash.ts';
import { countRetries, judge } from './judge.ts';
import { NodeProcess } from './node-process.ts';
import type { RunContext } from './scenario.ts';
import { Address, Workload } from './workload.ts';

const STOPS_WITHIN_MS = 10_000;

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
    await new Workload(fresh, random, workload.history).client(random.int(20, 40));
    old.up(second.url);
    await clients;
    // It would answer reads from what it remembers for ever: it stops.
    const deadline = AbortSignal.timeout(STOPS_WITHIN_MS);
    const late = new Promise<null>((resolve) => deadline.addEventListener('abort', () => resolve(null)));
    const ended = await Promise.race([first.ended, late]);
    if (ended?.code !== 1 || !/enc-node: another process/.test(first.said)) {
      violations.push(`I5 a node whose folder was taken over ended with ${ended?.signal ?? ended?.code ?? 'nothing'}`);
    }
    tally.add('take-over: the first owner has stopped');
    violations.push(...(await judge(second.url, workload.history, random, tally)).violations);
  } finally {
    await first.kill();
    await second?.kill();
  }
  countRetries(workload.history, tally);
  return violations;
}
