import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fillDisk } from './fill-disk.ts';
import { errorCode, isReceipt } from './history.ts';
import { countRetries, judge } from './judge.ts';
import { DidNotStart, NodeProcess } from './node-process.ts';
import { type RunContext, Skipped } from './scenario.ts';
import { Address, Stuck, Workload } from './workload.ts';

const DISK = '48m';
/** Receipts after which a full disk has shown nothing: the store lives on free pages of its own. */
const UNNOTICED = 150;
const LOOK_EVERY_MS = 10;
const DEADLINE_MS = 30_000;

/** The disk of log, guard or all of it fills up under load and is emptied again. */
export async function diskFull({ random, tally, folder }: RunContext): Promise<string[]> {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Skipped('mounting a small disk needs root on Linux');
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', disk]).status !== 0)
    throw new Skipped('a tmpfs can not be mounted here');
  try {
    const what = random.pick(['data', 'log', 'guard'] as const);
    const data = what === 'data' ? join(disk, 'data') : join(folder, 'data');
    const flags = what === 'data' ? [] : [`--${what}-dir`, join(disk, what)];
    tally.add(`disk full: ${what}`);
    return await fillUnderLoad({ random, tally, folder }, { disk, data, flags, what });
  } finally {
    spawnSync('umount', ['-l', disk]);
  }
}

async function fillUnderLoad(
  { random, tally }: RunContext,
  { disk, data, flags, what }: { disk: string; data: string; flags: string[]; what: string },
): Promise<string[]> {
  const address = new Address();
  const workload = new Workload(address, random);
  const violations: string[] = [];
  let node = await NodeProcess.start({ data, flags });
  const restart = async (): Promise<NodeProcess> => {
    address.down();
    const started = await NodeProcess.start({ data, flags });
    address.up(started.url);
    return started;
  };
  try {
    address.up(node.url);
    for (const bundle of [
      { size: 8, timeout: 5000 },
      { size: 256, timeout: 150 },
    ])
      await workload.found(bundle);
    await workload.client(20);
    const clients = Promise.all(Array.from({ length: 3 }, () => workload.client(random.int(80, 120))));
    clients.catch(() => {});
    await workload.receipts(random.int(5, 20));
    const since = Date.now();
    const before = workload.acknowledged;
    fillDisk(join(disk, 'ballast'));
    const refused = (): boolean =>
      workload.history.asked.some(({ attempts }) =>
        attempts.some(({ sent, answer }) => sent > since && errorCode(answer) === 'unavailable'),
      );
    while (
      !refused() &&
      node.running &&
      workload.acknowledged - before < UNNOTICED &&
      Date.now() - since < DEADLINE_MS
    ) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    if (refused()) tally.add('disk full: answered unavailable');
    else if (node.running) tally.add(`disk full: not noticed by ${what}`);
    // Nothing is acknowledged from here on that is not there afterwards: the judge will say.
    const killed = random.chance(0.4);
    if (killed) {
      address.down();
      await node.kill();
      try {
        node = await restart();
        tally.add('disk full: started on a full disk');
      } catch (error) {
        if (!(error instanceof DidNotStart)) throw error;
        tally.add('disk full: refused to start');
        if (error.ended.code !== 1 || !/enc-node: \S/.test(error.said))
          violations.push(`on a full ${what} disk ${error.message}`);
      }
    }
    rmSync(join(disk, 'ballast'));
    if (killed && !node.running) node = await restart();
    // A node that runs when its disk is full goes on when there is room.
    const ended = await Promise.race([clients.then(() => null), node.ended]);
    if (ended !== null) {
      const last = node.said.trimEnd().split('\n').at(-1);
      violations.push(`the full ${what} disk ended the node with ${ended.signal ?? `exit ${ended.code}`}: ${last}`);
      node = await restart();
      await clients;
    }
    violations.push(...(await judge(node.url, workload.history, random, tally)).violations);
  } catch (error) {
    if (!(error instanceof Stuck || error instanceof DidNotStart)) throw error;
    violations.push(`after the ${what} disk had room again: ${error.message}`);
  } finally {
    await node.kill();
  }
  countRetries(workload.history, tally);
  const after = workload.history.asked.filter(({ attempts }) => attempts.some(({ answer }) => isReceipt(answer)));
  tally.add('acknowledged commits', after.length);
  return violations;
}
