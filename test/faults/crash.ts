import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AdvanceFault, AppendFault, FaultPlan } from './fault-plan.ts';
import { checkSecrets, countRetries, judge } from './judge.ts';
import { DidNotStart, NodeProcess } from './node-process.ts';
import type { Random } from './random.ts';
import type { RunContext } from './scenario.ts';
import { Address, Stuck, Workload } from './workload.ts';

const CLIENTS = 4;
/** How wrong a clock may be between two lives; commits must still be neither expired nor too far ahead. */
const WRONG_CLOCK_MS = 50_000;
/** Commits of earlier lives that are sent once more to the last one. */
const RESENT = 25;
/** Receipts after which a node that should have died at an aimed moment is killed anyway. */
const AIMED_RECEIPTS = 80;
/** bundles of the enclaves of a run: full ones, and ones that time closes */
export const BUNDLES = [
  { size: 8, timeout: 5000 },
  { size: 256, timeout: 100 },
  { size: 3, timeout: 150 },
] as const;

/**
 * kill -9 at random moments under load, several times on one folder; the dangerous moments are aimed at by stores that
 * fail at a given call. Every life but the last ends by force.
 */
export async function crash({ random, tally, folder }: RunContext): Promise<string[]> {
  const data = join(folder, 'data');
  const hits = join(folder, 'hits');
  const address = new Address();
  const workload = new Workload(address, random);
  const lives = random.int(2, 4);
  const appendFirst = random.chance(0.5);
  const outputs: string[] = [];
  const violations: string[] = [];
  let done = false;
  const clients = (async (): Promise<void> => {
    for (const bundle of BUNDLES) await workload.found(bundle);
    await Promise.all(Array.from({ length: CLIENTS }, () => workload.client(random.int(40, 70))));
    done = true;
  })();
  // What the clients throw is looked at below; it must not end the process meanwhile.
  clients.catch(() => {});
  let node: NodeProcess | null = null;
  try {
    for (let life = 0; life < lives && !done; life++) {
      // The first two lives die at one aimed moment each, any further one wherever chance has it.
      const plan = life < 2 ? makePlan(random, hits, (life === 0) === appendFirst ? 'append' : 'advance') : null;
      node = await NodeProcess.start({
        data,
        ...(plan ? { plan } : {}),
        flags: random.chance(0.4) ? ['--max-active', '2'] : [],
      });
      if (plan?.clock) tally.add('life with a wrong clock');
      const gone = node.ended;
      address.up(node.url);
      const some = workload
        .receipts(plan ? AIMED_RECEIPTS : random.int(10, 45))
        .then(() => new Promise((resolve) => setTimeout(resolve, random.int(0, 12))));
      await Promise.race([gone, some, clients.catch(() => {})]);
      address.down();
      await node.kill();
      outputs.push(node.said);
      tally.add('kill -9');
    }
    // The last life must serve all of it without faults.
    node = await NodeProcess.start({ data });
    address.up(node.url);
    await clients;
    await workload.resend(RESENT);
    const { violations: found, views } = await judge(node.url, workload.history, random, tally);
    violations.push(...found);
    const metrics = await node.metrics();
    const ended = await node.stop();
    if (ended.code !== 0) violations.push(`SIGTERM: the idle node ended with ${ended.signal ?? ended.code}`);
    violations.push(...checkSecrets(data, views.values(), [...outputs, node.said, metrics]));
  } catch (error) {
    if (!(error instanceof Stuck || error instanceof DidNotStart)) throw error;
    violations.push(error.message);
  } finally {
    await node?.kill();
  }
  countRetries(workload.history, tally);
  tally.add('acknowledged commits', workload.acknowledged);
  if (existsSync(hits)) for (const line of readFileSync(hits, 'utf8').split('\n')) if (line) tally.add(line);
  return violations;
}

/** Some faults that pass, and behind them one that kills. */
export function makePlan(random: Random, hits: string, dies: 'append' | 'advance'): FaultPlan {
  const append: Record<number, AppendFault> = { [random.int(3, 9)]: 'unknown-persisted' };
  const advance: Record<number, AdvanceFault> = { [random.int(2, 8)]: 'refuse' };
  for (let i = random.int(0, 2); i > 0; i--)
    append[random.int(2, 16)] = random.pick(['unknown-persisted', 'unknown-lost', 'late']);
  for (let i = random.int(0, 1); i > 0; i--) advance[random.int(2, 14)] = random.pick(['refuse', 'unknown-moved']);
  if (dies === 'append') append[random.int(8, 18)] = 'die';
  else advance[random.int(8, 18)] = 'die';
  const clock = random.chance(0.3) ? random.int(-WRONG_CLOCK_MS, WRONG_CLOCK_MS) : 0;
  return { append, advance, hits, clock };
}
