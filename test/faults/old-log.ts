import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commitJson } from '../../protocol/commit.ts';
import { eventHash, keySeed, sequencerSecret } from '../../protocol/hash.ts';
import { unhex } from '../../protocol/hex.ts';
import { errorCode } from './history.ts';
import { judge } from './judge.ts';
import { DidNotStart, NodeProcess } from './node-process.ts';
import { inFolder, type RunContext } from './scenario.ts';
import { putTogether, takeApart } from './snapshot-items.ts';
import { call, download, secp } from './wire.ts';
import { Address, type Enclave, Workload } from './workload.ts';

const OPEN = { size: 256, timeout: 600_000 };

/**
 * An older copy of log/ is put back: the enclaves that lost released events refuse, the others go on, and a snapshot that
 * has everything brings them back; one with a released event exchanged does not. Then the guard is lost, or another's.
 */
export async function oldLog({ random, tally, folder }: RunContext): Promise<string[]> {
  const data = join(folder, 'data');
  const address = new Address();
  const workload = new Workload(address, random);
  const found: string[] = [];
  const expect = (what: string, got: unknown, wanted: unknown): void => {
    if (got !== wanted) found.push(`${what}: ${String(got)} instead of ${String(wanted)}`);
  };
  let node = await NodeProcess.start({ data });
  const restart = async (between: () => void): Promise<void> => {
    address.down();
    await node.stop();
    between();
    node = await NodeProcess.start({ data });
    address.up(node.url);
  };
  const refusesToStart = async (why: string): Promise<void> => {
    try {
      node = await NodeProcess.start({ data });
      await node.stop();
      found.push(`the node starts with ${why}`);
    } catch (error) {
      if (!(error instanceof DidNotStart)) throw error;
      expect(`exit code with ${why}`, error.ended.code, 1);
      if (!/guard/.test(error.said)) found.push(`no word about the guard with ${why}: ${error.message}`);
    }
  };
  try {
    address.up(node.url);
    for (let i = 0; i < 4; i++) await workload.found(OPEN);
    const [lostA, lostB, keptA, keptB] = workload.enclaves as [Enclave, Enclave, Enclave, Enclave];
    await workload.client(40);
    for (const enclave of workload.enclaves) await call(node.url, `/enclaves/${enclave.id}/close-bundle`, '');
    const copy = join(folder, 'log-then');
    await restart(() => cpSync(join(data, 'log'), copy, { recursive: true }));
    for (const enclave of [lostA, lostB])
      for (let i = random.int(2, 6); i > 0; i--) await workload.ask([workload.note(enclave)]);
    const early = await download(node.url, `/enclaves/${lostA.id}/snapshot`);
    await workload.ask([workload.note(lostA)]);
    const files = new Map<string, Buffer<ArrayBuffer>>();
    for (const enclave of [lostA, lostB])
      files.set(enclave.id, (await download(node.url, `/enclaves/${enclave.id}/snapshot`)).bytes);
    await restart(() => {
      rmSync(join(data, 'log'), { recursive: true });
      cpSync(copy, join(data, 'log'), { recursive: true });
    });
    for (const enclave of [lostA, lostB]) {
      const note = commitJson(workload.note(enclave).commit);
      expect(
        'a commit to an enclave that lost events',
        errorCode((await call(node.url, '/', note)).text),
        'enclave_regressed',
      );
      expect(
        'the tree head of an enclave that lost events',
        errorCode((await call(node.url, `/${enclave.id}/sth`)).text),
        'enclave_regressed',
      );
    }
    for (const enclave of [keptA, keptB]) await workload.ask([workload.note(enclave)]);
    const recover = async (enclave: Enclave, file: Buffer<ArrayBuffer>): Promise<string> => {
      const reply = await call(node.url, `/enclaves/${enclave.id}/recover`, file, {
        'content-type': 'application/octet-stream',
      });
      return reply.status === 200 ? 'ok' : (errorCode(reply.text) ?? `HTTP ${reply.status}`);
    };
    const whole = files.get(lostA.id) as Buffer<ArrayBuffer>;
    expect('recovering from a copy that misses an event', await recover(lostA, early.bytes), 'enclave_regressed');
    expect(
      'recovering from a copy with a released event exchanged',
      await recover(lostA, forge(whole, lostA, workload, data)),
      'enclave_regressed',
    );
    expect('recovering from a whole copy', await recover(lostA, whole), 'ok');
    expect('recovering from a whole copy', await recover(lostB, files.get(lostB.id) as Buffer<ArrayBuffer>), 'ok');
    for (const enclave of [lostA, lostB]) await workload.ask([workload.note(enclave)]);
    found.push(...(await judge(node.url, workload.history, random, tally)).violations);
    address.down();
    await node.stop();
    const guard = join(data, 'guard');
    renameSync(guard, join(folder, 'guard-aside'));
    await refusesToStart('a missing guard');
    rmSync(guard, { recursive: true, force: true });
    await inFolder(async (place) => {
      const other = await NodeProcess.start({ data: join(place, 'data') });
      await other.stop();
      cpSync(join(place, 'data', 'guard'), guard, { recursive: true });
    });
    await refusesToStart('a foreign guard');
    writeFileSync(join(data, 'guard.adopt'), '');
    node = await NodeProcess.start({ data });
    address.up(node.url);
    for (const enclave of workload.enclaves) await workload.ask([workload.note(enclave)]);
    found.push(...(await judge(node.url, workload.history, random, tally)).violations);
    tally.add('old log put back');
  } finally {
    await node.kill();
  }
  return found;
}

/** The snapshot with its last event, which is in the open bundle, exchanged for another that the sequencer signed. */
function forge(file: Buffer<ArrayBuffer>, enclave: Enclave, workload: Workload, data: string): Buffer<ArrayBuffer> {
  const parts = takeApart(file);
  const last = parts.items.at(-1);
  const manifest = parts.items[0];
  if (last?.kind !== 'event' || manifest?.kind !== 'event')
    throw new Error('the snapshot does not end in an open bundle');
  const { versions } = JSON.parse(readFileSync(join(data, 'keys', 'master.json'), 'utf8')) as {
    versions: { secret: string }[];
  };
  const first = JSON.parse(Buffer.from(manifest.commit).toString()) as { from: string };
  const content = workload.history.asked.find(
    ({ commit }) => commit.enclave === enclave.id && commit.type === 'Manifest',
  )?.commit.content;
  if (content === undefined) throw new Error('the Manifest was never sent');
  const secret = sequencerSecret(unhex(versions[0]?.secret ?? ''), keySeed(unhex(first.from), content, []));
  const { commit } = workload.note(enclave);
  workload.history.asked.pop();
  const hash = eventHash(unhex(commit.hash), unhex(commit.sig), last.sequencer, last.seq, last.timestamp);
  const forged = { ...last, commit: Buffer.from(commitJson(commit)), seqSig: secp.signSchnorr(secret, hash) };
  return Buffer.from(putTogether({ ...parts, items: [...parts.items.slice(0, -1), forged] }));
}
