import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TEMPLATES } from '../../cli/templates.ts';
import { verifyArchive } from '../../client/archive.ts';
import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import { keyFromSecret } from '../../client/keys.ts';
import { openArchiveSource } from '../../client/node-archive.ts';
import { RedisTopology } from '../../cluster/topology/redis-topology.ts';
import { unhex } from '../../protocol/hex.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { laneKey } from '../../shard/log/redis/keys.ts';
import { logOf } from '../../shard/log/split-log.ts';
import { moveLogs } from '../../shard/operate/move-logs.ts';
import { enclaveKey } from '../../shard/redis/row-key.ts';
import { missing, type RedisServer, startRedis } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';
import { type RedisAddresses, TestCluster } from './test-cluster.ts';

const ENC = fileURLToPath(new URL('../../bin/enc.mjs', import.meta.url));
const DEADLINE_MS = 20_000;
const secp = openSecp256k1();
const alice = keyFromSecret(new Uint8Array(32).fill(11), secp);
const manifest = {
  ...(TEMPLATES['personal'] as (owner: string) => Record<string, unknown>)(alice.id),
  bundle: { size: 16, timeout: 600_000 },
};
const urlOf = ({ host, port }: RedisServer): string => `redis://${host}:${port}`;
const listOf = (servers: readonly RedisServer[]): string => servers.map(urlOf).join(',');

describe('a cluster over Redis', { skip: missing }, () => {
  let servers: RedisServer[];
  before(async () => {
    servers = await Promise.all(Array.from({ length: 4 }, () => startRedis()));
  });
  after(() => Promise.all(servers.map((server) => server.remove())));

  /** Log servers 0 … logs − 1; the guard has the last one. */
  const redis = (logs: number): RedisAddresses => {
    const [first, guard] = [servers[0], servers[3]] as [RedisServer, RedisServer];
    return { log: listOf(servers.slice(0, logs)), guard: urlOf(guard), topology: urlOf(first) };
  };
  const opened = (cluster: TestCluster, { id }: Enclave): Enclave =>
    new EncClient(cluster.url, { secp }).enclave(id, { key: alice });
  const entries = async (enclave: Enclave, server: number): Promise<number> => {
    const lane = laneKey({ enclave: unhex(enclave.id), lane: 0 });
    return Number(await (servers[server] as RedisServer).call('HLEN', `${lane}:e0`));
  };
  const texts = async (enclave: Enclave): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const { type, content } of enclave.pull({ complete: true }))
      if (type === 'note') found.push(content === null ? null : (content as { text: unknown }).text);
    return found;
  };

  const data = mkdtempSync(join(tmpdir(), 'enc-stores-'));
  const place = mkdtempSync(join(tmpdir(), 'enc-stores-archive-'));
  after(() => {
    for (const folder of [data, place]) rmSync(folder, { recursive: true, force: true });
  });
  const withLogs = (logs: number) => ({ data, shards: 2, redis: redis(logs), shardFlags: ['--archive-dir', place] });

  test('archives from any shard, trims what is archived, reads it back and erases in it', async () => {
    const options = withLogs(2);
    const archived = (): string =>
      readdirSync(place, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
        .join('');
    let enclaves: Enclave[];
    let first: Awaited<ReturnType<Enclave['build']>>;
    let receipt: unknown;
    const expected = Array.from({ length: 100 }, (_, n) => (n === 3 ? null : `note ${n} of many`));
    {
      await using cluster = await TestCluster.start(options);
      const client = new EncClient(cluster.url, { secp });
      enclaves = await Promise.all([0, 1, 2, 3].map(async () => (await client.create(alice, manifest)).enclave));
      const [enclave] = enclaves as [Enclave];
      first = await enclave.build('note', { text: 'note 0 of many' }, { exp: Date.now() + 500_000 });
      receipt = await enclave.submit(first);
      for (const one of enclaves) {
        const notes = Array.from({ length: 100 }, (_, n) => ({
          type: 'note',
          content: { text: `note ${n} of many` },
        }));
        const results = await one.commitAll(one === enclave ? notes.slice(1) : notes);
        const target = results[one === enclave ? 2 : 3] as { id: string };
        if (one === enclave) await waitFor('the archive', DEADLINE_MS, () => archived().includes('note 3 of many'));
        await one.commit('Delete', { target: target.id });
        await client.admin().closeBundle(one);
      }
      await waitFor('the archive', DEADLINE_MS, async () => {
        for (const { id } of enclaves)
          await verifyArchive(await openArchiveSource(place), { enclave: id, bundles: 7, secp });
        return true;
      });
      assert.equal(archived().includes('note 3 of many'), false, 'a deleted content is in the archive');
      assert.ok((await entries(enclave, logOf(unhex(enclave.id), 2))) > 0, 'it was trimmed before its checkpoint');
    }
    // Shards that ended took checkpoints; those that start find what may be trimmed.
    await using cluster = await TestCluster.start(options);
    for (const enclave of enclaves) {
      const server = logOf(unhex(enclave.id), 2);
      await waitFor('the trim', DEADLINE_MS, async () => (await entries(enclave, server)) === 0);
      const seen = opened(cluster, enclave);
      assert.deepEqual(await texts(seen), expected);
      const report = await seen.verify();
      assert.deepEqual([report.events, report.bundles], [102, 7]);
      assert.equal((await seen.commit('note', { text: 'after' })).seq, 102);
    }
    // A retry of what is in the archive only gets its receipt; a Delete of it is carried out there.
    const [enclave] = enclaves as [Enclave];
    assert.deepEqual(await opened(cluster, enclave).submit(first), receipt);
    const [{ id }] = (await opened(cluster, enclave).query({ seq: [5] } as never)) as unknown as [{ id: string }];
    await opened(cluster, enclave).commit('Delete', { target: id });
    assert.equal((await texts(opened(cluster, enclave)))[4], null);
    await new EncClient(cluster.url, { secp }).admin().closeBundle(opened(cluster, enclave));
    await waitFor('the erasure', DEADLINE_MS, async () => {
      const report = await verifyArchive(await openArchiveSource(place), { enclave: enclave.id, bundles: 8, secp });
      return report.erased === 2;
    });
    assert.equal((await texts(opened(cluster, enclave)))[4], null);
  });

  test('moves enclaves and their keys when the list of log servers changes, however often it is stopped', async () => {
    const provisioned = 'ab'.repeat(32);
    const secret = '01'.repeat(32);
    let enclaves: Enclave[];
    let sequencer: string;
    let owned: number;
    {
      await using cluster = await TestCluster.start(withLogs(2));
      const client = new EncClient(cluster.url, { secp });
      // Ids are hashes: of any fixed number, none may be one that moves.
      enclaves = [];
      while (enclaves.filter(moves).length < 4 || enclaves.length < 12)
        enclaves.push((await client.create(alice, manifest)).enclave);
      for (const enclave of enclaves) await enclave.commit('note', { text: 'before' });
      sequencer = await client.admin().initWithPriv(provisioned, secret, alice.id);
      owned = await made(2);
      const topology = new RedisTopology(redis(2).topology, () => {});
      await topology.connected(DEADLINE_MS);
      await topology.beat(
        1,
        { url: 'ws://a', process: 'b', topology: 1, active: 0, guests: 0, silent: [], recovering: [] },
        60_000,
      );
      await assert.rejects(move(2, 3), /Shards are running/);
      await topology.withdraw(1, 'b');
      await topology.close();
    }
    await assert.rejects(TestCluster.start(withLogs(1)), /move-logs/);
    await assert.rejects(TestCluster.start(withLogs(3)), /move-logs/);
    const moving = enclaves.filter(moves).length;

    const stopping = new AbortController();
    const begun = await move(2, 3, stopping.signal, () => stopping.abort());
    assert.ok(begun.enclaves >= 1);
    await assert.rejects(TestCluster.start(withLogs(2)), /finish/);
    await assert.rejects(TestCluster.start(withLogs(3)), /finish/);
    const done = await move(2, 3);
    assert.ok(begun.enclaves + done.enclaves >= moving, `${begun.enclaves} and ${done.enclaves} of ${moving}`);
    assert.deepEqual(
      await move(2, 3).catch((error: Error) => error.name),
      'Error',
      'the old list is not in use any more',
    );
    assert.equal(await made(3), owned);
    {
      await using cluster = await TestCluster.start(withLogs(3));
      for (const enclave of enclaves) {
        const seen = opened(cluster, enclave);
        assert.equal((await seen.commit('note', { text: 'after' })).seq, 2);
        await seen.verify();
      }
      const client = new EncClient(cluster.url, { secp });
      // The same key again: the row has come along, and another one is refused.
      assert.equal(await client.admin().initWithPriv(provisioned, secret, alice.id), sequencer);
      await assert.rejects(client.admin().initWithPriv(provisioned, '02'.repeat(32), alice.id));
    }

    const back = spawnSync(ENC, ['admin', 'move-logs', '--before', redis(3).log, '--after', redis(2).log, '--json'], {
      encoding: 'utf8',
    });
    assert.equal(back.status, 0, back.stderr);
    assert.ok((JSON.parse(back.stdout) as { enclaves: number }).enclaves >= moving);
    assert.deepEqual(await (servers[2] as RedisServer).call('KEYS', '{*}:0:*'), []);
    assert.deepEqual(await (servers[2] as RedisServer).call('KEYS', 'key*'), []);
    await using cluster = await TestCluster.start(withLogs(2));
    for (const enclave of enclaves) assert.deepEqual(await texts(opened(cluster, enclave)), ['before', 'after']);
    assert.equal(await made(2), owned);
  });

  /** True if it is elsewhere when a third log server joins. */
  const moves = ({ id }: Enclave): boolean => logOf(unhex(id), 2) !== logOf(unhex(id), 3);

  const move = (
    before: number,
    later: number,
    signal = new AbortController().signal,
    onProgress: (moved: number) => void = () => {},
  ) => moveLogs({ before: redis(before).log, after: redis(later).log, allowUnsafe: false, onProgress, signal });

  /** Enclaves that are counted as Alice's, on whatever server that is. */
  async function made(logs: number): Promise<number> {
    const counts = servers
      .slice(0, logs)
      .map(async (server) => Number(await server.call('SCARD', enclaveKey('made', unhex(alice.id)))));
    return (await Promise.all(counts)).reduce((a, b) => a + b, 0);
  }
});
