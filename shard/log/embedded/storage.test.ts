import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { fillDisk } from '../../../test/faults/fill-disk.ts';
import type { EnclaveLog } from '../enclave-log.ts';
import { prefixOf } from '../row-keys.ts';
import { ContentWriter } from './content-writer.ts';
import { openEmbeddedLog } from './index.ts';
import { LogWriter } from './log-writer.ts';
import { openStore } from './store.ts';
import { packAppend, packedSize } from './writer-messages.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const owner = new Uint8Array(16).fill(1);
const made: string[] = [];
after(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'enc-store-'));
  made.push(folder);
  return folder;
}

/** Number of files in the folder that hold these bytes. */
function holding(folder: string, bytes: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.filter((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(bytes)).length;
}

async function start(
  folder: string,
  enclave: SampleEnclave,
): Promise<{
  log: EnclaveLog;
  append: (events: Parameters<SampleEnclave['batch']>[0], close?: boolean, deletes?: Uint8Array[]) => Promise<string>;
}> {
  const log = await openEmbeddedLog({ folder, checkpointKey });
  const { epoch } = await log.open(enclave.key, owner);
  return {
    log,
    append: (events, close = false, deletes = []) => {
      const batch = enclave.batch(events, close);
      return appended(log, { key: enclave.key, epoch, ...batch, timestamp: enclave.timestamp, dueAt: 0, deletes });
    },
  };
}

test('no byte of an erased content is left in the folder', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('grep');
  const { log, append } = await start(folder, enclave);
  await append([
    { content: '"stays 4711"' },
    { content: '"SECRET4711 first"' },
    { content: `"${'SECRET4711 '.repeat(2000)}"` },
  ]);
  const target = enclave.ids[1] as Uint8Array;
  const other = enclave.ids[2] as Uint8Array;
  await append([{ type: 'Update', target, content: '"SECRET4711 update"' }]);
  assert.equal(holding(folder, 'SECRET4711'), 1);
  await append(
    [
      { type: 'Delete', target },
      { type: 'Delete', target: other },
    ],
    true,
    [target, other],
  );
  await log.erased();
  assert.equal(holding(folder, 'SECRET4711'), 0);
  assert.equal(holding(folder, 'stays 4711'), 1);
  await log.close();
});

test('an erasure that a crash cut between the mark and the overwriting is finished at the next start', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('half erased');
  class Dying extends ContentWriter {
    override erase(): void {
      throw new Error('killed before overwriting');
    }
  }
  const writer = new LogWriter(folder, { contents: new Dying(join(folder, 'content')) });
  const prefix = prefixOf(enclave.key);
  assert.equal(
    writer.write({
      kind: 'group',
      packed: new ArrayBuffer(0),
      appends: 0,
      ops: [{ kind: 'open', prefix, recovering: false, nonce: owner }],
    })[0]?.kind,
    'done',
  );
  const append = {
    key: enclave.key,
    epoch: { counter: 1, nonce: owner },
    ...enclave.batch([{ content: '"SECRET4712"' }]),
    timestamp: 9,
    dueAt: 0,
    deletes: [],
    done: () => {},
  };
  const packed = new ArrayBuffer(packedSize(append));
  packAppend(append, Buffer.from(packed), 0);
  writer.write({ kind: 'group', packed, appends: 1, ops: [] });
  const events = [{ seq: 0, id: enclave.ids[0] as Uint8Array }];
  const [answer] = writer.write({
    kind: 'group',
    packed: new ArrayBuffer(0),
    appends: 0,
    ops: [{ kind: 'erase', prefix, events, done: Buffer.from([0]) }],
  });
  assert.equal(answer?.kind === 'done' && answer.fatal, true);
  await writer.close();
  assert.equal(holding(folder, 'SECRET4712'), 1);
  const log = await openEmbeddedLog({ folder, checkpointKey });
  assert.equal(holding(folder, 'SECRET4712'), 0);
  assert.equal((await log.record(enclave.key, 0))?.content.length, 0);
  await log.close();
});

test('a Delete that was durable before a crash is carried out at the next start', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('journaled');
  const first = await start(folder, enclave);
  await first.append([{ content: '"SECRET4713"' }]);
  const target = enclave.ids[0] as Uint8Array;
  await first.log.close();
  // The append of the Delete alone, by a writer without an eraser, as if the process had died right after it.
  const writer = new LogWriter(folder);
  const append = {
    key: enclave.key,
    epoch: { counter: 1, nonce: owner },
    ...enclave.batch([{ type: 'Delete', target }]),
    timestamp: 19,
    dueAt: 0,
    deletes: [target],
    done: () => {},
  };
  const packed = new ArrayBuffer(packedSize(append));
  packAppend(append, Buffer.from(packed), 0);
  const [answer] = writer.write({ kind: 'group', packed, appends: 1, ops: [] });
  assert.deepEqual(answer?.kind === 'done' && [...answer.codes], [0]);
  await writer.close();
  const log = await openEmbeddedLog({ folder, checkpointKey });
  await log.erased();
  assert.equal(holding(folder, 'SECRET4713'), 0);
  await log.close();
});

test('contents of a refused append and of a cut tail do not stay behind', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('refused');
  const { log, append } = await start(folder, enclave);
  await append([{ content: '"kept"' }]);
  const kept = enclave.fork();
  await append([{ content: '"SECRET4714 tail"' }]);
  const { epoch } = await log.open(enclave.key, owner);
  assert.equal(await append([{ content: '"SECRET4714 refused"' }]), 'fenced');
  assert.equal(await log.replaceTail(enclave.key, epoch, kept.head, [], kept.head, kept.timestamp, 0), 'ok');
  await log.erased();
  assert.equal(holding(folder, 'SECRET4714'), 0);
  await log.close();
});

test('what lies behind the durable end of a content file is cut off at the start', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('torn');
  const { log, append } = await start(folder, enclave);
  await append([{ content: '"acknowledged"' }]);
  await log.close();
  const [file] = readdirSync(join(folder, 'content'));
  writeFileSync(join(folder, 'content', file as string), '"never acknowledged"', { flag: 'a' });
  writeFileSync(join(folder, 'content', '00000099.seg'), '"never acknowledged"');
  await (await openEmbeddedLog({ folder, checkpointKey })).close();
  assert.equal(holding(folder, 'never acknowledged'), 0);
  assert.equal(holding(folder, 'acknowledged'), 1);
});

test('indexes that are deleted, damaged or of another generation are built again; segments and blocks agree with the records', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('indexes');
  const first = await start(folder, enclave);
  const total = 17 * 4096 + 100;
  const rare = new Uint8Array(32).fill(9);
  for (let seq = 0; seq < total; seq += 500) {
    const size = Math.min(500, total - seq);
    await first.append(
      Array.from({ length: size }, (_, i) => ((seq + i) % 9001 === 17 ? { from: rare, tags: [['rare', 'yes']] } : {})),
    );
  }
  const expected = Array.from({ length: total }, (_, seq) => seq).filter((seq) => seq % 9001 === 17);
  const check = async (log: EnclaveLog): Promise<void> => {
    const { key, ids, hashes } = enclave;
    for (const seq of [0, 5, 4095, 4096, 65535, 65536, 69631, 69632, total - 1]) {
      assert.equal(await log.findId(key, ids[seq] as Uint8Array), seq);
      assert.equal(await log.findHash(key, hashes[seq] as Uint8Array), seq);
    }
    assert.equal(await log.findId(key, rare), -1);
    const plan = { from: 0, to: total, reverse: false, froms: [rare], tags: [{ name: 'rare', values: ['yes'] }] };
    assert.deepEqual(
      [...log.candidates(key, plan)].filter((seq) => typeof seq === 'number' && seq >= 0),
      expected,
    );
    assert.deepEqual(
      [...log.candidates(key, { ...plan, reverse: true })].filter((seq) => typeof seq === 'number' && seq >= 0),
      [...expected].reverse(),
    );
  };
  await check(first.log);
  await first.log.close();
  const store = openStore(folder);
  const keys = [...store.index.getKeys()];
  assert.ok(keys.length > 17 * 6);
  await store.index.clearAsync();
  await store.root.close();
  let log = await openEmbeddedLog({ folder, checkpointKey });
  await check(log);
  await check(log);
  await log.close();
  const damaged = openStore(folder);
  for (const key of damaged.index.getKeys().map((key) => key)) {
    const row = damaged.index.get(key) as Buffer;
    row[row.length >> 1] = (row[row.length >> 1] as number) ^ 4;
    await damaged.index.put(key, row);
  }
  await damaged.root.close();
  log = await openEmbeddedLog({ folder, checkpointKey });
  await check(log);
  await log.close();
});

test('a checkpoint that is forged, torn or under another key is passed over for the older one, then for none', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('forged');
  const { log, append } = await start(folder, enclave);
  const { epoch } = await log.open(enclave.key, owner);
  await log.close();
  const first = await openEmbeddedLog({ folder, checkpointKey });
  const taken: string[] = [];
  for (const name of ['one', 'two']) {
    const batch = enclave.batch([{ content: `"${name}"` }], true);
    assert.equal(
      await appended(first, { key: enclave.key, epoch, ...batch, timestamp: enclave.timestamp, dueAt: 0, deletes: [] }),
      'ok',
    );
    await first.checkpoint(enclave.key, epoch, {
      head: enclave.head,
      base: Buffer.from(name),
      recent: Buffer.from(name),
      recentFrom: taken.length,
      recentMaxExp: 1e6,
      timestamp: enclave.timestamp,
    });
    taken.push(name);
  }
  await first.close();
  void append;
  const base = async (key = checkpointKey): Promise<string | null> => {
    const log = await openEmbeddedLog({ folder, checkpointKey: key });
    const { checkpoint } = await log.open(enclave.key, owner);
    await log.close();
    return checkpoint === null ? null : Buffer.from(checkpoint.base).toString();
  };
  const tamper = async (seq: number, kind: number, change: (row: Buffer) => Buffer): Promise<void> => {
    const store = openStore(folder);
    for (const key of [...store.checkpoints.getKeys()]) {
      if (key.readUInt32BE(40) === seq && key[44] === kind)
        await store.checkpoints.put(key, change(store.checkpoints.get(key) as Buffer));
    }
    await store.root.close();
  };
  assert.equal(await base(), 'two');
  assert.equal(await base(new Uint8Array(32).fill(2)), null);
  await tamper(1, 2, (row) => {
    row[row.length - 1] = (row[row.length - 1] as number) ^ 1;
    return row;
  });
  assert.equal(await base(), 'one');
  await tamper(0, 1, (row) => row.subarray(0, row.length - 1));
  assert.equal(await base(), null);
});

test('a folder of a newer format is refused with a sentence', async () => {
  const folder = newFolder();
  await (await openEmbeddedLog({ folder, checkpointKey })).close();
  const store = openStore(folder);
  await store.meta.put(Buffer.from('format'), Buffer.from([99, 0]));
  await store.root.close();
  await assert.rejects(openEmbeddedLog({ folder, checkpointKey }), /format 99.*newer version/);
});

test('a flipped bit in any row or content byte is LogDamaged, and other enclaves go on', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('flipped');
  const other = new SampleEnclave('unharmed');
  const { log, append } = await start(folder, enclave);
  await append([{ content: '"one"' }, { content: '"two"' }], true);
  await log.close();
  const second = await start(folder, other);
  await second.append([{ content: '"fine"' }], true);
  await second.log.close();
  const harmed = async (
    name: 'heads' | 'entries' | 'closings',
    read: (log: EnclaveLog) => Promise<unknown>,
  ): Promise<void> => {
    const copy = newFolder();
    cpSync(folder, copy, { recursive: true });
    const store = openStore(copy);
    for (const key of [...store[name].getKeys()]) {
      if (Buffer.compare(key.subarray(0, 32), enclave.key.enclave) !== 0) continue;
      const row = store[name].get(key) as Buffer;
      row[60] = (row[60] as number) ^ 16;
      await store[name].put(key, row);
    }
    await store.root.close();
    const log = await openEmbeddedLog({ folder: copy, checkpointKey });
    await assert.rejects(read(log), { name: 'LogDamaged' });
    assert.equal(Buffer.from((await log.read(other.key, 0, 1000))[0]?.content ?? []).toString(), '"fine"');
    assert.equal((await log.open(other.key, owner)).head.seq, 0);
    await log.close();
  };
  await harmed('heads', (log) => log.head(enclave.key));
  await harmed('heads', (log) => log.open(enclave.key, owner));
  await harmed('entries', (log) => log.read(enclave.key, 0, 1000));
  await harmed('entries', (log) => log.record(enclave.key, 1));
  await harmed('closings', (log) => log.closing(enclave.key, 0));
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  const [file] = readdirSync(join(copy, 'content')).sort();
  const path = join(copy, 'content', file as string);
  const bytes = readFileSync(path);
  const content = bytes.indexOf('"one"');
  bytes[content + 2] = (bytes[content + 2] as number) ^ 1;
  writeFileSync(path, bytes);
  const flipped = await openEmbeddedLog({ folder: copy, checkpointKey });
  await assert.rejects(flipped.record(enclave.key, 0), { name: 'LogDamaged' });
  await assert.rejects(flipped.read(enclave.key, 0, 1), { name: 'LogDamaged' });
  await flipped.close();
  truncateSync(path, content + 3);
  const torn = await openEmbeddedLog({ folder: copy, checkpointKey });
  await assert.rejects(torn.read(enclave.key, 0, 1), { name: 'LogDamaged' });
  await torn.close();
});

test('files with random flips or cuts are refused or serve only what checks, never something else', {
  timeout: 60_000,
}, async (t) => {
  const folder = newFolder();
  const enclave = new SampleEnclave('random damage');
  const { log, append } = await start(folder, enclave);
  for (let i = 0; i < 30; i++) await append([{ content: `"event ${i}"` }], i % 4 === 3);
  await log.close();
  const child = fileURLToPath(new URL('./read-all.fixture.ts', import.meta.url));
  const seed = Number(process.env['SEED'] ?? 20261123);
  t.diagnostic(`seed ${seed}`);
  console.log(`seed ${seed}`);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let run = 0; run < 12; run++) {
    const copy = newFolder();
    cpSync(folder, copy, { recursive: true });
    const path = join(copy, 'data.mdb');
    const bytes = readFileSync(path);
    if (run % 3 === 0) truncateSync(path, random(bytes.length));
    else {
      for (let flips = 0; flips < 1 << (run % 5); flips++) {
        const at = random(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << random(8));
      }
      writeFileSync(path, bytes);
    }
    // A damaged page may end the process: that is a refusal too.
    const result = spawnSync(process.execPath, [child, copy, Buffer.from(enclave.key.enclave).toString('hex')], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    const served = result.stdout.split('\n').filter((line) => line.startsWith('event '));
    for (const [i, line] of served.entries()) assert.equal(line, `event ${i} "event ${i}"`, `run ${run}`);
    if (served.length < 30 && result.status === 0)
      assert.match(result.stdout, /refused|no log/, `run ${run}: ${result.stdout}${result.stderr}`);
  }
});

test('a full disk acknowledges nothing, says so, and goes on when there is room', async (t) => {
  const mount = newFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    t.skip('needs the right to mount a tmpfs');
    return;
  }
  try {
    const filler = join(mount, 'filler');
    mkdirSync(join(mount, 'log'));
    writeFileSync(filler, Buffer.alloc(1024 * 1024));
    const failures: string[] = [];
    const fatal: string[] = [];
    const enclave = new SampleEnclave('full');
    const log = await openEmbeddedLog({
      folder: join(mount, 'log'),
      checkpointKey,
      onFailure: (reason) => failures.push(reason),
      onFatal: (reason) => fatal.push(reason),
    });
    const { epoch } = await log.open(enclave.key, owner);
    let sure = enclave.fork();
    const append = (size: number): Promise<string> => {
      const batch = enclave.batch([{ content: `"${'x'.repeat(size)}"` }]);
      return appended(log, { key: enclave.key, epoch, ...batch, timestamp: enclave.timestamp, dueAt: 0, deletes: [] });
    };
    let result = 'ok';
    for (let i = 0; i < 200 && result === 'ok'; i++) {
      sure = enclave.fork();
      result = await append(60_000);
    }
    assert.equal(result, 'unknown');
    assert.match(failures.join(), /ENOSPC|No space/);
    assert.deepEqual(fatal, []);
    assert.deepEqual(await log.head(enclave.key), sure.head);
    // What goes to LMDB at once comes to nothing too, again and again, and ends nothing.
    // With room for a part of a commit, LMDB calls it an I/O error.
    const rest = join(mount, 'rest');
    const openings: PromiseSettledResult<unknown>[] = [];
    for (let pages = 0; pages < 20; pages++) {
      fillDisk(rest, pages * 4096);
      const keys = Array.from({ length: 20 }, (_, i) => new SampleEnclave(`other ${pages}/${i}`).key);
      openings.push(...(await Promise.allSettled(keys.map((key) => log.open(key, owner)))));
      rmSync(rest);
    }
    for (const opening of openings)
      if (opening.status === 'rejected') assert.match(String(opening.reason), /LogUnavailable/);
    assert.ok(openings.some(({ status }) => status === 'rejected'));
    assert.match(failures.join(), /Input\/output error/);
    assert.deepEqual(fatal, []);
    rmSync(filler);
    const opened = await log.open(enclave.key, owner);
    assert.deepEqual(opened.head, sure.head);
    const batch = sure.batch([{ content: '"room again"' }]);
    assert.equal(
      await appended(log, {
        key: sure.key,
        epoch: opened.epoch,
        ...batch,
        timestamp: sure.timestamp,
        dueAt: 0,
        deletes: [],
      }),
      'ok',
    );
    await log.close();
    const again = await openEmbeddedLog({ folder: join(mount, 'log'), checkpointKey });
    assert.deepEqual(await again.head(sure.key), sure.head);
    assert.equal(Buffer.from((await again.record(sure.key, sure.head.seq))?.content ?? []).toString(), '"room again"');
    await again.close();
  } finally {
    execFileSync('umount', ['-l', mount]);
  }
});
