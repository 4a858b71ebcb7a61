import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { hkdfSync } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { openSecp256k1 } from '../crypto/open.ts';
import { openCryptoPool } from '../crypto/pool.ts';
import { tooOpen } from './private-file.ts';
import { openSigner, type SignerOptions } from './signer.ts';

const backend = openSecp256k1();
const folders: string[] = [];
const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const hash = bytes(9);

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const path = join(mkdtempSync(join(tmpdir(), 'enc-signer-')), 'keys');
  folders.push(join(path, '..'));
  return path;
}

const open = (dir: string, options: Partial<SignerOptions> = {}) => openSigner({ dir, backend, ...options });

function writeMasters(dir: string, ...secrets: string[]): void {
  const versions = secrets.map((secret, i) => ({ version: i + 1, secret }));
  writeFileSync(join(dir, 'master.json'), JSON.stringify({ format: 1, versions }), { mode: 0o600 });
}

describe('the keys folder', () => {
  test('refuses a master secret that others may read, and names the remedy', async () => {
    const dir = folder();
    await (await open(dir)).close();
    for (const mode of [0o640, 0o604, 0o660]) {
      chmodSync(join(dir, 'master.json'), mode);
      await assert.rejects(open(dir), /may be read by others \(mode 6\d\d\): run chmod 600/);
    }
  });

  test("takes a file of root's that its group may read, if it is not root: so are secrets handed to it", () => {
    assert.equal(tooOpen(0o100440, 0, 1000), false);
    assert.equal(tooOpen(0o100400, 0, 1000), false);
    for (const mode of [0o444, 0o460, 0o450]) assert.equal(tooOpen(mode, 0, 1000), true);
    // Its own file may be read by its group only by mistake, and root needs no group.
    assert.equal(tooOpen(0o440, 1000, 1000), true);
    assert.equal(tooOpen(0o440, 0, 0), true);
    assert.equal(tooOpen(0o440, 1, 1000), true);
  });

  test('refuses a damaged file without quoting what is in it', async () => {
    const dir = folder();
    await (await open(dir)).close();
    const secret = 'ab'.repeat(32);
    const bad = [
      '',
      '{',
      'null',
      '[]',
      '{"format":1}',
      '{"format":1,"versions":[]}',
      '{"format":1,"versions":[null]}',
      `{"format":1,"versions":[{"version":0,"secret":"${secret}"}]}`,
      `{"format":1,"versions":[{"version":1,"secret":"${secret}a"}]}`,
      `{"format":2,"versions":[{"version":1,"secret":"${secret}"}]}`,
      `{"format":1,"versions":[{"version":1,"secret":"${secret}"},{"version":1,"secret":"${secret}"}]}`,
      `x{"secret":"${secret}"}`,
    ];
    for (const text of bad) {
      writeFileSync(join(dir, 'master.json'), text, { mode: 0o600 });
      await assert.rejects(
        open(dir),
        (error: Error) => /backup|format/.test(error.message) && !inspect(error).includes(secret),
      );
    }
  });

  test('refuses to go on under a missing or exchanged master secret', async () => {
    const dir = folder();
    await (await open(dir)).close();
    writeMasters(dir, 'cd'.repeat(32));
    await assert.rejects(open(dir), /version 1 of the master secret is not the one this node used before/);
    rmSync(join(dir, 'master.json'));
    await assert.rejects(open(dir), /version 1 of the master secret is missing/);
    assert.equal(existsSync(join(dir, 'master.json')), false);
  });

  test('is made on the first start, for its owner only', async () => {
    const dir = folder();
    await (await open(dir)).close();
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(statSync(join(dir, 'master.json')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(dir).sort(), ['enclaves', 'master.json']);
  });
});

describe('sequencer keys', () => {
  test('derive as PROTOCOL §3 says, computed here by other code', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    for (const fill of [1, 2, 254]) {
      const [dir, master, seed] = [folder(), bytes(fill), bytes(255 - fill)];
      mkdirSync(dir, { mode: 0o700 });
      writeMasters(dir, Buffer.from(master).toString('hex'));
      const wide = hkdfSync('sha256', master, '', Buffer.concat([Buffer.from('enc:sequencer:'), seed]), 48);
      const scalar = (BigInt(`0x${Buffer.from(wide).toString('hex')}`) % (order - 1n)) + 1n;
      const secret = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
      const signer = await open(dir);
      assert.deepEqual(Buffer.from(signer.derive(seed).public), Buffer.from(backend.publicKey(secret) ?? []));
      await signer.close();
    }
  });

  test('are found again after a restart, with creator and origin', async () => {
    const dir = folder();
    let signer = await open(dir);
    const derived = signer.derive(bytes(1));
    await signer.adopt(bytes(100), bytes(1), bytes(7), derived);
    await signer.adopt(bytes(100), bytes(1), bytes(7), derived); // again, as after a lost answer
    const imported = await signer.importKey(bytes(101), bytes(0x33), bytes(8));
    await signer.importKey(bytes(102), bytes(0x34), null);
    await signer.close();

    signer = await open(dir);
    const first = await signer.lookup(bytes(100));
    assert.deepEqual(first?.key.public, derived.public);
    assert.deepEqual([first?.provisioned, first?.creator], [false, bytes(7)]);
    const second = await signer.lookup(bytes(101));
    assert.deepEqual(second?.key.public, imported);
    assert.deepEqual([second?.provisioned, second?.creator], [true, bytes(8)]);
    assert.equal((await signer.lookup(bytes(102)))?.creator, null);
    assert.equal(await signer.lookup(bytes(103)), null);
    for (const key of [first?.key, second?.key]) {
      assert.ok(key && backend.verifySchnorr(key.public, hash, key.sign(hash)));
    }
    assert.equal(await signer.enclavesOf(bytes(7)), 1);
    assert.equal(await signer.enclavesOf(bytes(9)), 0);
    await signer.close();
  });

  test('an enclave keeps its first key', async () => {
    const signer = await open(folder());
    await signer.adopt(bytes(100), bytes(1), null, signer.derive(bytes(1)));
    await assert.rejects(signer.adopt(bytes(100), bytes(2), null, signer.derive(bytes(2))), /another key/);
    assert.equal(await signer.importKey(bytes(100), bytes(0x33), null), null);
    const both = [signer.importKey(bytes(101), bytes(0x33), null), signer.importKey(bytes(101), bytes(0x34), null)];
    assert.deepEqual(await Promise.all(both), [backend.publicKey(bytes(0x33)), null]);
    assert.equal(await signer.importKey(bytes(101), bytes(0x33), bytes(1)), null);
    assert.ok(await signer.importKey(bytes(101), bytes(0x33), null));
    await assert.rejects(signer.importKey(bytes(104), bytes(0), null), RangeError);
    await assert.rejects(signer.importKey(bytes(104), bytes(255), null), RangeError);
    assert.equal(await signer.lookup(bytes(104)), null);
    await signer.close();
  });

  test('keep the master version they were born with', async () => {
    const dir = folder();
    await (await open(dir)).close();
    const file = JSON.parse(readFileSync(join(dir, 'master.json'), 'utf8'));
    let signer = await open(dir);
    await signer.adopt(bytes(100), bytes(1), null, signer.derive(bytes(1)));
    await signer.importKey(bytes(101), bytes(0x33), null);
    const born = signer.derive(bytes(1)).public;
    const checkpoint = signer.checkpointKey();
    await signer.close();

    writeMasters(dir, file.versions[0].secret, 'ef'.repeat(32));
    signer = await open(dir);
    assert.notDeepEqual(signer.derive(bytes(1)).public, born);
    const old = (await signer.lookup(bytes(100)))?.key;
    assert.deepEqual(old?.public, born);
    assert.ok(backend.verifySchnorr(born, hash, old.sign(hash)));
    assert.ok((await signer.lookup(bytes(101)))?.key.sign(hash));
    const recognised = signer.recognise(bytes(1), born);
    assert.ok(recognised);
    assert.deepEqual(recognised.public, born);
    assert.equal(signer.recognise(bytes(2), born), null);
    await signer.adopt(bytes(105), bytes(1), null, recognised);
    assert.deepEqual((await signer.lookup(bytes(105)))?.key.public, born);
    assert.deepEqual(signer.checkpointKey(), checkpoint);
    await signer.close();
  });

  test('sign alike on this thread and in the pool, also when the cache holds only one of them', async () => {
    const signer = await open(folder(), { maxUnwrapped: 1 });
    const pool = openCryptoPool({ workers: 1 });
    const keys = [1, 2, 3].map((fill) => signer.derive(bytes(fill)));
    const many = await Promise.all(
      keys.map((key) => {
        const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
        key.signMany(pool, hash, 1, resolve);
        return promise;
      }),
    );
    for (const [i, key] of keys.entries()) assert.deepEqual(Buffer.from(key.sign(hash)), Buffer.from(many[i] ?? []));
    await pool.close();
    await signer.close();
  });

  test('show no secret when printed, stringified or thrown, and none in the folder in the clear', async () => {
    const dir = folder();
    const signer = await open(dir);
    const secret = bytes(0x5a);
    await signer.importKey(bytes(100), secret, null);
    const found = await signer.lookup(bytes(100));
    found?.key.sign(hash);
    const master = JSON.parse(readFileSync(join(dir, 'master.json'), 'utf8')).versions[0].secret as string;
    const shown = [signer, found, found?.key].flatMap((value) => [
      inspect(value, { depth: 10, showHidden: true, getters: true }),
      String(value),
      JSON.stringify(value),
    ]);
    const inFiles = readFileSync(join(dir, 'enclaves', 'data.mdb'));
    for (const raw of [secret, Buffer.from(master, 'hex')]) {
      const forms = [
        Buffer.from(raw).toString('hex'),
        Buffer.from(raw).toString('base64'),
        Buffer.from(raw).join(', '),
        Buffer.from(raw).join(','),
      ];
      for (const form of forms) assert.ok(shown.every((text) => !text?.includes(form)));
      for (const form of [Buffer.from(raw), ...forms]) assert.equal(inFiles.includes(form), false);
    }
    await signer.close();
    assert.throws(() => found?.key.sign(hash));
  });

  test('outlive kill -9 from the moment adopt and importKey resolve', { timeout: 30_000 }, async () => {
    const dir = folder();
    const script = `
      import { openSigner } from ${JSON.stringify(new URL('./signer.ts', import.meta.url).href)};
      import { openSecp256k1 } from ${JSON.stringify(new URL('../crypto/open.ts', import.meta.url).href)};
      const signer = await openSigner({ dir: ${JSON.stringify(dir)}, backend: openSecp256k1() });
      const bytes = (fill) => new Uint8Array(32).fill(fill);
      await Promise.all([signer.adopt(bytes(1), bytes(2), bytes(3), signer.derive(bytes(2))), signer.importKey(bytes(4), bytes(5), null)]);
      console.log('durable');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const signer = await open(dir);
    assert.deepEqual((await signer.lookup(bytes(1)))?.key.public, signer.derive(bytes(2)).public);
    assert.deepEqual((await signer.lookup(bytes(4)))?.key.public, backend.publicKey(bytes(5)));
    assert.equal(await signer.enclavesOf(bytes(3)), 1);
    await signer.close();
  });
});
