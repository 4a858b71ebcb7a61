import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TEMPLATES } from '../../cli/templates.ts';
import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import { keyFromSecret } from '../../client/keys.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { TestNode } from '../api/node.ts';
import { missing, type RedisServer, startRedis } from '../parts/redis.ts';
import { TestCluster } from './test-cluster.ts';

const ENC = fileURLToPath(new URL('../../bin/enc.mjs', import.meta.url));
const secp = openSecp256k1();
const alice = keyFromSecret(new Uint8Array(32).fill(12), secp);
const manifest = {
  ...(TEMPLATES['personal'] as (owner: string) => Record<string, unknown>)(alice.id),
  bundle: { size: 4, timeout: 600_000 },
};
const urlOf = ({ host, port }: RedisServer): string => `redis://${host}:${port}`;

interface Said {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

describe('enc admin import', { skip: missing }, () => {
  let servers: RedisServer[];
  const folders: string[] = [];
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'enc-import-'));
    folders.push(made);
    return made;
  };
  before(async () => {
    servers = await Promise.all([startRedis(), startRedis()]);
  });
  after(async () => {
    await Promise.all(servers.map((server) => server.remove()));
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  });

  /** A cluster over empty Redis servers, with the master secret of a node, or one of its own. */
  const cluster = async (keys: string | null): Promise<TestCluster> => {
    for (const server of servers) await server.call('FLUSHALL');
    const [log, guard] = servers as [RedisServer, RedisServer];
    const data = folder();
    if (keys !== null) cpSync(join(keys, 'keys', 'master.json'), join(data, 'keys', 'master.json'));
    return TestCluster.start({
      data,
      shards: 2,
      redis: { log: urlOf(log), guard: urlOf(guard), topology: urlOf(log) },
    });
  };
  const run = async (data: string, url: string): Promise<Said> => {
    const child = spawn(ENC, ['admin', 'import', data, '--remote', url, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    const [status] = (await once(child, 'close')) as [number];
    return { status, ...said };
  };

  test('brings every enclave over, once, and each goes on there; what differs is refused', async () => {
    const data = folder();
    const provisioned = 'cd'.repeat(32);
    const enclaves: Enclave[] = [];
    let events = 1; // the provisioned one's Manifest
    let sequencer: string;
    {
      await using node = await TestNode.start({ data });
      const client = new EncClient(node.url, { secp });
      for (let i = 0; i < 9; i++) {
        const { enclave } = await client.create(alice, manifest, i === 0 ? { nameSequencer: false } : {});
        const made: { id: string }[] = [];
        for (let n = 0; n < 2 + i; n++) made.push(await enclave.commit('note', { text: `${i} ${n}` }));
        if (i % 2 === 0) await enclave.commit('Delete', { target: (made[0] as { id: string }).id });
        enclaves.push(enclave);
        events += (await enclave.info()).head + 1;
      }
      sequencer = await client.admin().initWithPriv(provisioned, '03'.repeat(32), alice.id);
      const own = client.enclave(provisioned, { key: alice, sequencer, provisioned: true });
      await own.commit('Manifest', { ...manifest, nonce: 'provisioned' });
      enclaves.push(own);
    }
    {
      await using foreign = await cluster(null);
      const said = await run(data, foreign.url);
      assert.equal(said.status, 1, said.err);
      assert.match(said.err, /another master secret/);
    }
    await using there = await cluster(data);
    const client = new EncClient(there.url, { secp });
    const first = await run(data, there.url);
    assert.equal(first.status, 0, first.err);
    assert.deepEqual(JSON.parse(first.out), { imported: 10, there: 0, empty: 0, events, total: 10 });
    for (const [i, { id }] of enclaves.slice(0, 9).entries()) {
      const enclave = client.enclave(id, { key: alice });
      const { seq } = await enclave.commit('note', { text: 'goes on' });
      assert.equal(seq, 1 + 2 + i + (i % 2 === 0 ? 1 : 0));
      await enclave.verify();
    }
    const own = client.enclave(provisioned, { key: alice, sequencer, provisioned: true });
    assert.equal((await own.commit('note', { text: 'goes on' })).seq, 1);

    // Called again it finds all of them, though they have gone on.
    const again = await run(data, there.url);
    assert.equal(again.status, 0, again.err);
    assert.deepEqual(JSON.parse(again.out), { imported: 0, there: 10, empty: 0, events: 0, total: 10 });

    // The node went on by itself after all: two histories, and neither is touched.
    {
      await using node = await TestNode.start({ data });
      const split = new EncClient(node.url, { secp }).enclave((enclaves[3] as Enclave).id, { key: alice });
      await split.commit('note', { text: 'another history' });
      await new EncClient(node.url, { secp }).create(alice, manifest);
    }
    const differs = await run(data, there.url);
    assert.equal(differs.status, 1);
    assert.match(differs.err, /1 of 11 enclaves were refused; 1 imported with 1 events, 9 were there/);
    assert.ok(differs.err.includes((enclaves[3] as Enclave).id) && differs.err.includes('another history'));
    await client.enclave((enclaves[3] as Enclave).id, { key: alice }).verify();
  });
});
