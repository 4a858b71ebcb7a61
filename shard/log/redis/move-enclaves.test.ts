import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { holds } from '../../../test/conformance/log/driver.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { missing, type RedisServer, startRedis } from '../../../test/parts/redis.ts';
import { openRedis, type RedisStore } from '../../redis/redis-store.ts';
import type { EnclaveLog, Epoch } from '../enclave-log.ts';
import { logOf, SplitLog } from '../split-log.ts';
import { openRedisLog } from './index.ts';
import { BEAT, deletesKey, LOGS, laneKey, MOVING } from './keys.ts';
import { moveEnclaves } from './move-enclaves.ts';
import { SCRIPTS } from './scripts.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const owner = new Uint8Array(16).fill(1);

describe('moving enclaves between log servers', { skip: missing }, () => {
  let servers: RedisServer[];
  before(async () => {
    servers = await Promise.all(Array.from({ length: 3 }, () => startRedis()));
  });
  const opened: { close(): Promise<void> }[] = [];
  after(async () => {
    for (const one of opened) await one.close();
    await Promise.all(servers.map((server) => server.remove()));
  });

  const keep = <T extends { close(): Promise<void> }>(one: T): T => {
    opened.push(one);
    return one;
  };

  const openLog = async (n: number): Promise<EnclaveLog> => {
    const logs = servers.slice(0, n).map((server) => openRedisLog({ settings: { at: server.address }, checkpointKey }));
    return keep(new SplitLog(await Promise.all(logs)));
  };

  const openStores = (): Promise<RedisStore[]> =>
    Promise.all(
      servers.map(async (server) =>
        keep(await openRedis({ settings: { at: server.address }, scripts: SCRIPTS, beatKey: BEAT })),
      ),
    );

  test('2 → 3 → 2: exactly those that jump hash moves, everything of them, stopped at every point and called again', async () => {
    const two = await openLog(2);
    await two.adoptGuard(owner);
    const enclaves: { enclave: SampleEnclave; epoch: Epoch }[] = [];
    for (let i = 0; i < 24; i++) {
      const enclave = new SampleEnclave(`move ${i}`, i % 2);
      const { epoch } = await two.open(enclave.key, owner);
      enclaves.push({ enclave, epoch });
      if (i === 23) continue;
      for (let n = 0; n < 3; n++) {
        const batch = enclave.batch([{ content: `"${i} ${n}"` }, { content: '"x"' }], n < 2);
        const rest = {
          key: enclave.key,
          epoch,
          timestamp: enclave.timestamp,
          dueAt: n === 2 ? 100 + i : 0,
          deletes: [],
        };
        assert.equal(await appended(two, { ...batch, ...rest }), 'ok');
      }
    }
    const first = enclaves.filter(({ enclave }) => logOf(enclave.key.enclave, 3) === 2);
    const [victim] = first as [{ enclave: SampleEnclave; epoch: Epoch }];
    const { key } = victim.enclave;
    const source = servers[logOf(key.enclave, 2)] as RedisServer;
    const id = Buffer.from(victim.enclave.ids[0] as Uint8Array);
    await source.call('SADD', deletesKey(laneKey(key)), id);

    const stores = await openStores();
    const [a, b, c] = stores as [RedisStore, RedisStore, RedisStore];
    // Dies at each of its writes in turn; the next call goes on.
    let calls = 0;
    for (let dies = 1; ; dies++) {
      let left = dies;
      const dying = stores.map((store) => dyingAfter(store, () => left-- <= 0)) as [RedisStore, RedisStore, RedisStore];
      calls++;
      try {
        await moveEnclaves({ before: dying.slice(0, 2), after: dying });
        break;
      } catch (error) {
        assert.match(String(error), /died here/);
      }
      // A node with the old list and one with the new list see it nowhere twice, and never an old state of it.
      const oldList = await two.head(key).catch(() => null);
      const there = await c.fetch('HGET', laneKey(key), 'h');
      assert.ok(oldList === null || there === null);
    }
    assert.ok(calls > 10, `${calls}`);
    assert.equal(await moveEnclaves({ before: [a, b], after: [a, b, c] }), 0);
    assert.equal(Number(await servers[2]?.call('ZCARD', LOGS)), first.length);
    for (const server of servers) assert.equal(await server.call('ZCARD', MOVING), 0);

    const three = await openLog(3);
    assert.deepEqual(new Uint8Array((await three.guardId()) as Uint8Array), owner);
    // A Delete that was still to be carried out has come along.
    await three.erased();
    victim.enclave.contents[0] = '';
    for (const { enclave } of enclaves) await holds(three, enclave);
    assert.equal((await three.list(null, 100)).length, 24);
    assert.deepEqual(
      (await three.due(1000, 100)).map(({ dueAt }) => dueAt),
      Array.from({ length: 23 }, (_, i) => 100 + i),
    );
    assert.equal(await source.call('EXISTS', `${laneKey(key)}:e0`), 0);

    // Whoever has the old list is told; whoever held it is fenced; on the new list it goes on.
    const zombie = victim.enclave.fork().batch([{ content: '"zombie"' }]);
    const append = { key, epoch: victim.epoch, timestamp: 99, dueAt: 0, deletes: [] };
    assert.equal(await appended(two, { ...zombie, ...append }), 'fenced');
    assert.equal(await appended(three, { ...zombie, ...append }), 'fenced');
    await assert.rejects(two.open(key, owner), { name: 'LogMoved' });
    const opened = await three.open(key, owner);
    assert.ok(opened.epoch.counter > victim.epoch.counter);
    const again = victim.enclave.batch([{ content: '"goes on"' }], true);
    assert.equal(
      await appended(three, { ...again, ...append, epoch: opened.epoch, timestamp: victim.enclave.timestamp }),
      'ok',
    );
    await holds(three, victim.enclave);

    assert.equal(await moveEnclaves({ before: [a, b, c], after: [a, b] }), first.length);
    for (const { enclave } of enclaves) await holds(two, enclave);
    assert.equal((await two.list(null, 100)).length, 24);
    assert.equal(await servers[2]?.call('ZCARD', LOGS), 0);
    await assert.rejects(three.open(key, owner), { name: 'LogMoved' });
    await two.open(key, owner);
  });

  test('a move that began and whose list was taken back is undone by the old list', async () => {
    for (const server of servers) await server.call('FLUSHALL');
    const log = await openLog(2);
    const enclave = new SampleEnclave('taken back');
    const { epoch } = await log.open(enclave.key, owner);
    const batch = enclave.batch([{ content: '"a"' }]);
    const rest = { key: enclave.key, epoch, timestamp: enclave.timestamp, dueAt: 7, deletes: [] };
    assert.equal(await appended(log, { ...batch, ...rest }), 'ok');
    const stores = await openStores();
    const from = logOf(enclave.key.enclave, 2);
    let left = 2;
    const swapped = ([stores[1], stores[0]] as RedisStore[]).map((store) => dyingAfter(store, () => left-- <= 0));
    const source = swapped[1 - from] as RedisStore;
    await assert.rejects(moveEnclaves({ before: [source], after: swapped }), /died here/);
    assert.equal(await log.head(enclave.key), null);
    assert.equal(await moveEnclaves({ before: stores.slice(0, 2), after: stores.slice(0, 2) }), 1);
    await holds(log, enclave);
    assert.equal((await log.due(7, 5)).length, 1);
  });
});

/** The store, until `dead` says so at a write: that one may have been carried out, but nobody learns of it. */
function dyingAfter(store: RedisStore, dead: () => boolean): RedisStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      if (name !== 'counted') return member.bind(target);
      return async (...args: Parameters<RedisStore['counted']>) => {
        const reply = await target.counted(...args);
        if (dead()) throw new Error('died here');
        return reply;
      };
    },
  });
}
