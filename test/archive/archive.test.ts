import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TEMPLATES } from '../../cli/templates.ts';
import { verifyArchive } from '../../client/archive.ts';
import type { ArchiveReport } from '../../client/archive-audit.ts';
import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import { Unreachable } from '../../client/errors.ts';
import { keyFromSecret } from '../../client/keys.ts';
import { openArchiveSource } from '../../client/node-archive.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { TestNode } from '../api/node.ts';
import { S3_BUCKET, S3Server, s3Missing, s3SecretsMissing } from '../parts/s3.ts';
import { waitFor } from '../parts/wait-for.ts';

const ENC = fileURLToPath(new URL('../../bin/enc.mjs', import.meta.url));
const secp = openSecp256k1();
const alice = keyFromSecret(new Uint8Array(32).fill(7), secp);
const DEADLINE_MS = 20_000;

function client(node: TestNode): EncClient {
  return new EncClient(node.url, { secp });
}

async function found(node: TestNode, nonce: string): Promise<Enclave> {
  const manifest = { ...(TEMPLATES['personal'] as (owner: string) => Record<string, unknown>)(alice.id), nonce };
  return (await client(node).create(alice, manifest)).enclave;
}

function close(node: TestNode, enclave: Enclave): Promise<unknown> {
  return client(node).admin().closeBundle(enclave);
}

async function metric(node: TestNode, name: string): Promise<number> {
  const text = await (await fetch(`${node.operatorUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

async function verified(place: string, enclave: string, bundles: number): Promise<ArchiveReport> {
  return verifyArchive(await openArchiveSource(place), { enclave, bundles, secp });
}

/** What a node does with an archive, wherever that is. `text`: all that lies there. */
function suite(place: () => string, text: () => string): void {
  test('the archive follows the log, over restarts and while nobody was watching', async () => {
    const data = mkdtempSync(join(tmpdir(), 'enc-archived-'));
    try {
      const flags = ['--archive-dir', place()];
      let enclave: Enclave;
      {
        // A node that archives nothing leaves it to the next one.
        await using node = await TestNode.start({ data });
        enclave = await found(node, `follow ${place()}`);
        await enclave.commit('note', { text: 'before' });
        await close(node, enclave);
        assert.equal(await metric(node, 'enc_archive_bundles_total'), Number.NaN);
      }
      {
        await using node = await TestNode.start({ data, flags });
        await waitFor('the sweep', DEADLINE_MS, async () => (await metric(node, 'enc_archive_bundles_total')) === 1);
        enclave = client(node).enclave(enclave.id, { key: alice });
        const { id } = await enclave.commit('note', { text: 'SECRET to be deleted' });
        await close(node, enclave);
        await waitFor('the hint', DEADLINE_MS, async () => (await metric(node, 'enc_archive_bundles_total')) === 2);
        assert.equal(await metric(node, 'enc_archive_lag_bundles'), 0);
        assert.ok(text().includes('SECRET'));
        await enclave.commit('Delete', { target: id });
        await close(node, enclave);
        await waitFor('the Delete', DEADLINE_MS, async () => (await metric(node, 'enc_archive_bundles_total')) === 3);
        assert.equal(text().includes('SECRET'), false);
      }
      const report = await verified(place(), enclave.id, 3);
      assert.deepEqual([report.events, report.bundles, report.erased, report.named], [4, 3, 1, true]);
      const ended = await TestNode.start({ data, flags });
      await ended.halt();
      await assert.rejects(verified(place(), enclave.id, 4), /ends after 3 bundles/);
    } finally {
      rmSync(data, { recursive: true, force: true });
    }
  });
}

describe('archive in a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  suite(
    () => folder,
    () => allOf(folder),
  );

  test('enc verify --archive checks it with no node, and exits 1 on one that was tampered with', async () => {
    const home = mkdtempSync(join(tmpdir(), 'enc-home-'));
    try {
      await using node = await TestNode.start({ flags: ['--archive-dir', folder] });
      const enclave = await found(node, 'cli');
      for (let i = 0; i < 3; i++) {
        await enclave.commit('note', { text: `note ${i}` });
        await close(node, enclave);
      }
      await waitFor('the archive', DEADLINE_MS, async () => (await metric(node, 'enc_archive_bundles_total')) === 3);
      await node.halt();
      const enc = (...args: string[]) =>
        spawnSync(process.execPath, [ENC, 'verify', enclave.id, '--archive', ...args], {
          env: { ...process.env, XDG_CONFIG_HOME: home, ENC_REMOTE: 'http://127.0.0.1:9' },
          encoding: 'utf8',
        });
      const good = enc(folder, '--json');
      assert.equal(good.status, 0, good.stderr);
      const report = JSON.parse(good.stdout) as ArchiveReport;
      assert.deepEqual([report.events, report.bundles, report.named], [4, 3, true]);
      assert.ok(report.perSecond > 0);
      assert.match(enc(folder).stdout, /^verified {2}4 events, 3 bundles; .* events\/s\n$/);
      const path = join(folder, enclave.id, '0', '000000000001.0000');
      const bytes = readFileSync(path);
      bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1;
      writeFileSync(path, bytes);
      const bad = enc(folder);
      assert.equal(bad.status, 1);
      assert.match(bad.stderr, /000000000001\.0000.*archive_refused/);
      rmSync(path);
      assert.match(enc(folder).stderr, /bundle 1 is missing/);
      assert.match(enc(join(folder, 'nowhere')).stderr, /holds no bundle/);
      assert.equal(enc('s3:nonsense').status, 2);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

describe('archive in S3', { skip: s3Missing }, () => {
  let server: S3Server;
  const kept = { ...process.env };
  before(async () => {
    server = await S3Server.start();
    Object.assign(process.env, server.env());
  });
  after(async () => {
    process.env = kept;
    await server.remove();
  });
  suite(
    () => `s3://${S3_BUCKET}/nodes/one`,
    () => allOf(join(server.folder, 'data')),
  );

  test('a node runs on while the store is away, and catches up when it is back', async () => {
    await using node = await TestNode.start({ flags: ['--archive-dir', `s3://${S3_BUCKET}/nodes/two`] });
    await server.kill();
    const enclave = await found(node, 'away');
    await close(node, enclave);
    await waitFor('a failure', DEADLINE_MS, async () => (await metric(node, 'enc_archive_lag_bundles')) === 1);
    await waitFor(
      'a failure',
      DEADLINE_MS,
      async () => (await metric(node, 'enc_archive_failures_total\\{reason="store"\\}')) > 0,
    );
    await enclave.commit('note', { text: 'goes on' });
    await assert.rejects(verified(`s3://${S3_BUCKET}/nodes/two`, enclave.id, 1), Unreachable);
    await server.start();
    await waitFor('the archive', DEADLINE_MS, async () => (await metric(node, 'enc_archive_lag_bundles')) === 0);
    assert.equal((await verified(`s3://${S3_BUCKET}/nodes/two`, enclave.id, 1)).events, 1);
  });

  test('a wrong secret is said, and is no proof of anything', { skip: s3SecretsMissing }, async () => {
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    try {
      await assert.rejects(verified(`s3://${S3_BUCKET}/nodes/one`, alice.id, 1), Unreachable);
    } finally {
      Object.assign(process.env, server.env());
    }
  });
});

/** Everything that lies in a folder, as latin1. */
function allOf(folder: string): string {
  let text = '';
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) text += readFileSync(join(entry.parentPath, entry.name), 'latin1');
  return text;
}
