import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkHistory } from './check-history.ts';
import { BUNDLES } from './crash.ts';
import { errorCode, History, isReceipt } from './history.ts';
import { DidNotStart, NodeProcess } from './node-process.ts';
import { NotServed, readView, type View } from './outside-view.ts';
import type { Random } from './random.ts';
import { checkReplay } from './replay-both.ts';
import { inFolder, type RunContext } from './scenario.ts';
import type { Tally } from './tally.ts';
import { call, download, secp } from './wire.ts';
import { Address, Stuck, Workload } from './workload.ts';

const CASES = 3;
const PAGE = 4096;
/** A damaged enclave may refuse for ever: one attempt more is enough to see it, ms. */
const PATIENCE_MS = 500;

/**
 * Bits flipped, pages zeroed and ends cut off in log/ or guard/ (one of them: they fail separately) of a node that was
 * stopped or killed. Whatever comes of it, nothing that was released may be replaced or silently missing.
 */
export async function damage({ random, tally, folder }: RunContext): Promise<string[]> {
  const data = join(folder, 'data');
  const address = new Address();
  const workload = new Workload(address, random);
  const copies = new Map<string, Buffer<ArrayBuffer>>();
  const node = await NodeProcess.start({ data });
  try {
    address.up(node.url);
    for (const bundle of BUNDLES) await workload.found(bundle);
    await Promise.all(Array.from({ length: 3 }, () => workload.client(random.int(30, 50))));
    for (const { id } of workload.enclaves) {
      await call(node.url, `/enclaves/${id}/close-bundle`, '');
      copies.set(id, (await download(node.url, `/enclaves/${id}/snapshot`)).bytes);
    }
    if (random.chance(0.5)) await node.stop();
  } finally {
    await node.kill();
  }
  const violations: string[] = [];
  for (let i = 0; i < CASES; i++) {
    violations.push(
      ...(await inFolder(async (place) => {
        const copy = join(place, 'data');
        cpSync(data, copy, { recursive: true });
        const what = hurt(copy, random);
        const found = await startOn(copy, workload.history, copies, random, tally);
        return found.map((violation) => `${what}: ${violation}`);
      })),
    );
    tally.add('damaged folder');
  }
  return violations;
}

/** Damages one file; returns what was done. */
function hurt(data: string, random: Random): string {
  const store = join(data, random.pick(['log', 'log', 'guard']));
  const files = readdirSync(store, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'lock.mdb')
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0)
    .sort();
  const path = random.pick(files);
  const name = relative(data, path);
  const bytes = readFileSync(path);
  const kind = random.int(0, 2);
  if (kind === 0) {
    const size = random.int(0, bytes.length - 1);
    truncateSync(path, size);
    return `${name} of ${bytes.length} bytes cut off at ${size}`;
  }
  const at = random.int(0, bytes.length - 1);
  if (kind === 1) {
    const page = at - (at % PAGE);
    bytes.fill(0, page, Math.min(page + PAGE, bytes.length));
    writeFileSync(path, bytes);
    return `page at ${page} of ${name} zeroed`;
  }
  const places: number[] = [];
  for (let i = random.int(1, 8); i > 0; i--) {
    const place = random.int(0, bytes.length - 1);
    bytes[place] = (bytes[place] as number) ^ (1 << random.int(0, 7));
    places.push(place);
  }
  writeFileSync(path, bytes);
  return `bits flipped in ${name} at ${places.join(', ')}`;
}

/** Refused, or served right: judged enclave by enclave. */
async function startOn(
  data: string,
  before: History,
  copies: ReadonlyMap<string, Buffer<ArrayBuffer>>,
  random: Random,
  tally: Tally,
): Promise<string[]> {
  let node: NodeProcess;
  try {
    node = await NodeProcess.start({ data });
  } catch (error) {
    if (!(error instanceof DidNotStart)) throw error;
    if (error.ended.code === 1 && /enc-node: \S/.test(error.said)) tally.add('damaged: refused at start');
    else tally.add('damaged: LMDB ended the process at start');
    return [];
  }
  try {
    const known = copyOf(before);
    const address = new Address();
    address.up(node.url);
    const workload = new Workload(address, random, known, PATIENCE_MS);
    const views = new Map<string, View>();
    const found: string[] = [];
    for (const enclave of workload.enclaves) {
      const note = workload.note(enclave);
      const before = await call(node.url, `/${enclave.id}/sth`);
      if (errorCode(before.text) === 'enclave_regressed') {
        tally.add('damaged: enclave regressed');
        const body = copies.get(enclave.id) ?? Buffer.alloc(0);
        const reply = await call(node.url, `/enclaves/${enclave.id}/recover`, body, {
          'content-type': 'application/octet-stream',
        });
        if (reply.status === 200) tally.add('damaged: enclave recovered from a snapshot');
        else if (node.running) found.push(`${enclave.id} can't be recovered from a snapshot: ${reply.text}`);
      }
      try {
        await workload.ask([note]);
      } catch (error) {
        if (!(error instanceof Stuck)) throw error;
      }
      try {
        views.set(enclave.id, await readView(node.url, enclave, known, random));
        tally.add('damaged: enclave served');
      } catch (error) {
        if (!(error instanceof NotServed)) throw error;
        tally.add(`damaged: enclave answers ${/"error":"(\w+)"/.exec(error.answer)?.[1] ?? 'nothing'}`);
      }
      if (!node.running) {
        const { code, signal } = await node.ended;
        tally.add(code === 1 ? 'damaged: stopped with a sentence' : 'damaged: LMDB ended the process');
        if (code !== 1 && signal === null) return [`serving ended with exit ${code}`];
        break;
      }
    }
    found.push(...checkHistory(known, views, secp));
    for (const view of views.values()) found.push(...(await checkReplay(view)));
    return found;
  } finally {
    await node.kill();
  }
}

function copyOf(history: History): History {
  const copy = new History();
  copy.enclaves.push(...history.enclaves);
  copy.asked.push(
    ...history.asked.map(({ commit, attempts }) => ({
      commit,
      attempts: attempts.filter(({ answer }) => isReceipt(answer)),
    })),
  );
  copy.heads.push(...history.heads);
  for (const event of history.seen) copy.see(event);
  return copy;
}
