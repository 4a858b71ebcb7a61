import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  missing,
  namedPrimary,
  type RedisServer,
  SENTINEL_NAME,
  sentinelMissing,
  startRedis,
  startReplicated,
  startSentinels,
} from '../../test/parts/redis.ts';
import { waitFor } from '../../test/parts/wait-for.ts';
import { ClusterView } from './cluster-view.ts';
import { MemoryTopology } from './memory-topology.ts';
import { RedisTopology } from './redis-topology.ts';
import { NO_TOPOLOGY } from './topology.ts';
import type { Beat, TopologyStore } from './topology-store.ts';

const beat = (process: string): Beat => ({
  url: 'ws://127.0.0.1:1',
  process,
  topology: 1,
  active: 2,
  guests: 0,
  silent: ['log 2'],
  recovering: ['guard'],
});
const urlOf = (server: RedisServer): string => `redis://${server.host}:${server.port}`;

/** What every topology store must do. `make` gives an empty one. */
function conformance(name: string, make: () => Promise<TopologyStore>): void {
  describe(`topology store: ${name}`, () => {
    test('holds nothing, then the topology that was published, each version once', async () => {
      const store = await make();
      assert.deepEqual((await store.look(3)).topology, NO_TOPOLOGY);
      const published = await Promise.all([store.publish(0, 3), store.publish(0, 4)]);
      assert.equal(published.filter(Boolean).length, 1);
      const { topology } = await store.look(0);
      assert.equal(topology.version, 1);
      assert.equal(await store.publish(0, 9), false);
      assert.equal(await store.publish(1, 6), true);
      assert.deepEqual((await store.look(0)).topology, { version: 2, shards: 6, before: topology.shards });
      await store.close();
    });

    test('a heartbeat counts until it is over, or taken back by its own process', async () => {
      const store = await make();
      await store.publish(0, 2);
      await store.beat(0, beat('a'), 60_000);
      await store.beat(1, beat('b'), 100);
      assert.deepEqual((await store.look(2)).beats.get(0), beat('a'));
      await waitFor('the end of a heartbeat', 5000, async () => !(await store.look(2)).beats.has(1));
      await store.withdraw(0, 'another');
      assert.deepEqual([...(await store.look(0)).beats.keys()], [0]);
      await store.withdraw(0, 'a');
      assert.equal((await store.look(2)).beats.size, 0);
      await store.close();
    });
  });
}

conformance('memory', async () => new MemoryTopology());

describe('a topology in Redis', { skip: missing }, () => {
  const server = missing ? null : startRedis();
  after(async () => (await server)?.remove());
  let db = 0;
  const open = async (): Promise<RedisTopology> => {
    const store = new RedisTopology(`${urlOf(await (server as Promise<RedisServer>))}/${db++}`, () => {});
    await store.connected(5000);
    return store;
  };
  conformance('Redis', open);

  test('that can not be reached leaves everybody with what was seen last, and tells once', async () => {
    const own = await startRedis();
    const store = new RedisTopology(urlOf(own), () => {});
    await store.connected(5000);
    await store.publish(0, 2);
    await store.beat(1, beat('b'), 60_000);
    let blind = 0;
    const view = new ClusterView(store, { lookEveryMs: 10, onBlind: () => blind++ });
    await waitFor('a look', 5000, () => view.beats.has(1));
    await own.kill();
    await waitFor('blindness', 10_000, () => blind > 0);
    await view.look();
    assert.equal(view.topology.shards, 2);
    assert.ok(view.beats.has(1));
    assert.equal(blind, 1);
    assert.ok(view.blind);
    await own.start();
    await waitFor('sight', 10_000, () => !view.blind);
    view.close();
    await store.close();
    await own.remove();
  });
});

test('the primary of the topology is found through Sentinel', { skip: sentinelMissing }, async () => {
  const servers = await startReplicated(1);
  const sentinels = await startSentinels(servers);
  const hosts = sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  const store = new RedisTopology(`sentinel://${hosts}/${SENTINEL_NAME}`, () => {});
  await store.connected(10_000);
  assert.equal(await store.publish(0, 5), true);
  assert.equal((await store.look(0)).topology.shards, 5);
  await store.close();
  for (const sentinel of sentinels) await sentinel.remove();
  await servers.remove();
});

test('a primary that has become a replica is left for the new one', { skip: sentinelMissing }, async (t) => {
  const servers = await startReplicated(1);
  const sentinels = await startSentinels(servers);
  const hosts = sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  const store = new RedisTopology(`sentinel://${hosts}/${SENTINEL_NAME}`, () => {});
  t.after(async () => {
    await store.close();
    for (const sentinel of sentinels) await sentinel.remove();
    await servers.remove();
  });
  await store.connected(10_000);
  await store.beat(0, beat('a'), 60_000);
  const [heir] = servers.replicas as [RedisServer];
  await sentinels[0]?.call('SENTINEL', 'FAILOVER', SENTINEL_NAME);
  await waitFor('the new primary', 20_000, async () => (await namedPrimary(sentinels, servers.replicas)) === heir);
  // As an operator does it, or a pod that is to stop: connections to it stay.
  await servers.primary.follow(heir);
  await waitFor('a heartbeat that counts', 10_000, () => store.beat(0, beat('b'), 60_000).then(() => true));
  assert.equal((await store.look(1)).beats.get(0)?.process, 'b');
});

test('a view adopts what is newer, from wherever it hears of it', async () => {
  const view = new ClusterView(new MemoryTopology());
  const heard: number[] = [];
  view.onTopology(({ version }) => heard.push(version));
  assert.equal(view.adopt({ version: 2, shards: 3, before: 0 }), true);
  assert.equal(view.adopt({ version: 1, shards: 9, before: 0 }), false);
  assert.equal(view.adopt({ version: 2, shards: 9, before: 0 }), false);
  assert.equal(view.topology.shards, 3);
  assert.deepEqual(heard, [2]);
  view.close();
});
