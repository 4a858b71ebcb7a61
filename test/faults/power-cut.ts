import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { History, isReceipt } from './history.ts';
import { judge } from './judge.ts';
import { DidNotStart, NodeProcess } from './node-process.ts';
import type { Random } from './random.ts';
import { Recording, recorder, type Survival, writeFolder } from './recording.ts';
import { inFolder, type RunContext } from './scenario.ts';
import type { Tally } from './tally.ts';
import { Address, Stuck, Workload } from './workload.ts';

const CUTS = 3;
/** A node that was just started answers commits within this time, ms. */
const RESUME_MS = 10_000;
export const SURVIVALS: readonly Survival[] = ['nothing', 'everything', 'whole writes', 'pages', 'sectors'];

export interface Recorded {
  readonly recording: Recording;
  readonly history: History;
  /** where it ran */
  readonly data: string;
}

/**
 * Records a node under load, down to its writes and syncs, and cuts the power at random moments of the recording, and
 * once during its very first start: each time a node is started on what may be left, and must still have all that had
 * been sent by then.
 */
export async function powerCut(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  const recorded = await record(context, { sync: true });
  const { recording } = recorded;
  const violations = sameAsReal(recorded);
  for (let i = 0; i < CUTS; i++) {
    // Half of the cuts come right behind an answer, where the most is at stake.
    const moments = recording.sentAt;
    const end = random.chance(0.5) ? random.pick(moments) : random.int(moments[0] ?? 0, recording.entries.length);
    violations.push(...(await cutAt(recorded, { end, survival: random.pick(SURVIVALS) }, random, tally)));
  }
  const end = random.int(0, recording.sentAt[0] ?? 0);
  violations.push(...(await cutAt(recorded, { end, survival: random.pick(SURVIVALS) }, random, tally)));
  return violations;
}

/** One node under load, without `sync` one whose syncs do nothing. */
export async function record({ random, folder }: RunContext, options: { sync: boolean }): Promise<Recorded> {
  const data = join(folder, 'data');
  const { env, file } = recorder(folder, data, options);
  const address = new Address();
  const workload = new Workload(address, random);
  const node = await NodeProcess.start({ data, env });
  try {
    address.up(node.url);
    for (const bundle of [
      { size: 8, timeout: 5000 },
      { size: 256, timeout: 100 },
    ])
      await workload.found(bundle);
    await Promise.all(Array.from({ length: 3 }, () => workload.client(random.int(20, 40))));
    // Drained, not killed: a kill between a write and its record would make the recording differ from the files.
    await node.stop();
  } finally {
    await node.kill();
  }
  return { recording: new Recording(file, data), history: workload.history, data };
}

/** Cuts the power once; `unsynced`: see Recording.rebuild; `resumeMs`: in which commits must be answered afterwards. */
export async function cutAt(
  { recording, history }: Recorded,
  {
    end,
    survival,
    unsynced,
    resumeMs = RESUME_MS,
  }: { end: number; survival: Survival; unsynced?: RegExp; resumeMs?: number },
  random: Random,
  tally: Tally,
): Promise<string[]> {
  const found = await inFolder(async (place) => {
    const rebuilt = join(place, 'data');
    writeFolder(rebuilt, recording.rebuild(end, survival, random, unsynced));
    return afterCut(rebuilt, knownBefore(history, recording.sentBefore(end)), random, tally, resumeMs);
  });
  tally.add('power cut');
  return found.map(
    (violation) =>
      `power cut at ${end} of ${recording.entries.length}, of the unsynced survives ${survival}: ${violation}`,
  );
}

/** Everything that was recorded, put together, is what is there: else the recorder has missed something. */
function sameAsReal({ recording, data }: Recorded): string[] {
  const found: string[] = [];
  for (const [path, bytes] of recording.rebuild(recording.entries.length, 'everything', null as never)) {
    if (path.startsWith('tmp/')) continue;
    let real: Buffer;
    try {
      real = readFileSync(join(data, path));
    } catch {
      found.push(`the recording has a file that is not there: ${path}`);
      continue;
    }
    if (!real.equals(bytes))
      found.push(`the recording of ${path} differs from the file: ${bytes.length} and ${real.length} bytes`);
  }
  return found;
}

/** The history as far as `sent` had reached the clients. */
function knownBefore(history: History, sent: string): History {
  const known = new History();
  for (const { commit, attempts } of history.asked) {
    known.asked.push({ commit, attempts: attempts.filter(({ answer }) => isReceipt(answer) && sent.includes(answer)) });
  }
  for (const enclave of history.enclaves) {
    if (known.asked.some(({ commit, attempts }) => commit.enclave === enclave.id && attempts.length > 0))
      known.enclaves.push(enclave);
  }
  for (const event of history.seen) if (sent.includes(`"id":"${event.id}"`)) known.see(event);
  for (const head of history.heads) if (sent.includes(head.sig)) known.remember(head);
  return known;
}

/** Starts a node on what the power cut left: it serves all that was known, and goes on. */
async function afterCut(
  data: string,
  known: History,
  random: Random,
  tally: Tally,
  resumeMs: number,
): Promise<string[]> {
  let node: NodeProcess | null = null;
  try {
    node = await NodeProcess.start({ data });
    const address = new Address();
    address.up(node.url);
    const workload = new Workload(address, random, known, resumeMs);
    for (const enclave of workload.enclaves) await workload.ask([workload.note(enclave)]);
    return (await judge(node.url, known, random, tally)).violations;
  } catch (error) {
    if (error instanceof Stuck || error instanceof DidNotStart) return [`I1 ${error.message}`];
    throw error;
  } finally {
    await node?.kill();
  }
}
