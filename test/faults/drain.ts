import { join } from 'node:path';
import { BUNDLES } from './crash.ts';
import { countRetries, judge } from './judge.ts';
import { NodeProcess } from './node-process.ts';
import type { RunContext } from './scenario.ts';
import { Address, Workload } from './workload.ts';

/** SIGTERM under load: exit code 0, no half answers, every answered receipt is there afterwards. */
export async function drain({ random, tally, folder }: RunContext): Promise<string[]> {
  const data = join(folder, 'data');
  const address = new Address();
  const workload = new Workload(address, random);
  const violations: string[] = [];
  let node = await NodeProcess.start({ data });
  try {
    address.up(node.url);
    for (const bundle of BUNDLES) await workload.found(bundle);
    const clients = Promise.all(Array.from({ length: 4 }, () => workload.client(random.int(40, 80))));
    clients.catch(() => {});
    await Promise.race([workload.receipts(random.int(20, 80)), clients]);
    address.down();
    const ended = await node.stop();
    if (ended.code !== 0)
      violations.push(
        `SIGTERM under load ended with ${ended.signal ?? `exit ${ended.code}`}: ${node.said.trim().split('\n').at(-1)}`,
      );
    const halves = workload.history.asked.flatMap(({ attempts }) => attempts.filter(({ status }) => status === -1));
    if (halves.length > 0) violations.push(`SIGTERM under load cut ${halves.length} answers in the middle`);
    node = await NodeProcess.start({ data });
    address.up(node.url);
    await clients;
    violations.push(...(await judge(node.url, workload.history, random, tally)).violations);
  } finally {
    await node.kill();
  }
  countRetries(workload.history, tally);
  tally.add('drain under load');
  return violations;
}
