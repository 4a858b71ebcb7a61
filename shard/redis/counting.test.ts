import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import {
  missing,
  namedPrimary,
  type RedisServer,
  type Replicated,
  SENTINEL_NAME,
  sentinelMissing,
  startRedis,
  startReplicated,
  startSentinels,
} from '../../test/parts/redis.ts';
import { waitFor } from '../../test/parts/wait-for.ts';
import { RedisRefused } from './redis-errors.ts';
import type { RedisStore, StoreState } from './redis-store.ts';
import { closeStores, once, open, put } from './scripts.test-util.ts';

const key = (name: string) => Buffer.from(name);
const set = (store: RedisStore, name: string, value = '1') => store.counted(put, [key(name)], [value]);

function single(what: string, run: (server: RedisServer) => Promise<void>): void {
  test(what, async () => {
    const server = await startRedis();
    try {
      await run(server);
    } finally {
      await server.remove();
    }
  });
}

function replicated(what: string, replicas: number, run: (servers: Replicated) => Promise<void>): void {
  test(what, async () => {
    const servers = await startReplicated(replicas);
    try {
      await run(servers);
    } finally {
      await servers.remove();
    }
  });
}

afterEach(closeStores);

/** The rules of ARCHITECTURE §3, each in a case that a naive WAIT gets wrong. */
describe('counting', { skip: missing }, () => {
  replicated('a short count makes all writes of the group unknown, and of those behind it', 2, async (servers) => {
    const store = await open(servers.primary, { maxGroups: 3 });
    assert.equal(store.replicas, 2);
    await set(store, 'before');
    servers.replicas[1]?.freeze();
    const groups: Promise<PromiseSettledResult<unknown>[]>[] = [];
    for (let g = 0; g < 3; g++) {
      groups.push(Promise.allSettled(Array.from({ length: 5 }, (_, i) => set(store, `k${g}${i}`))));
      await new Promise(setImmediate);
    }
    for (const result of (await Promise.all(groups)).flat())
      assert.equal(result.status === 'rejected' && result.reason.reason, 'short');
    // "Unknown" is not "failed": the primary has what it was sent first.
    assert.equal(String(await servers.primary.call('GET', 'k00')), '1');
    await store.close();
  });

  replicated('after a reconnect with a frozen replica nothing is acknowledged', 1, async ({ primary, replicas }) => {
    const states: StoreState[] = [];
    const store = await open(primary, {}, states);
    replicas[0]?.freeze();
    await assert.rejects(set(store, 'a'), { reason: 'short' });
    // The trap: on a connection that has written nothing, WAIT counts a replica that has not seen the write.
    const naive = await primary.call('WAIT', 1, 100);
    assert.equal(naive, 1);
    // The store's own new connection is not used before something has been counted on it.
    await waitFor('a refused connection', 5000, () =>
      states.some((state) => state.kind === 'failed' && /0 of 1 replicas had the write/.test(state.reason)),
    );
    assert.equal(store.generation, 0);
    await assert.rejects(set(store, 'b'), { reason: 'offline' });
    await assert.rejects(store.counted(once, [key('a')], ['1']), { reason: 'offline' });
    replicas[0]?.thaw();
    await store.ready(5000);
    assert.equal(String(await set(store, 'b')), '1');
    await store.close();
  });

  single(
    'a script that the server has forgotten is unknown, is not sent again, and is there the next time',
    async (server) => {
      const store = await open(server);
      await set(store, 'a');
      const { generation } = store;
      await server.call('SCRIPT', 'FLUSH');
      const [first, second] = await Promise.allSettled([set(store, 'b'), set(store, 'c')]);
      for (const result of [first, second]) {
        assert.equal(result.status === 'rejected' && result.reason.reason, 'refused');
        assert.match(String(result.status === 'rejected' && result.reason.message), /NOSCRIPT/);
      }
      await store.ready(5000);
      assert.notEqual(store.generation, generation);
      assert.equal(await server.call('EXISTS', 'b', 'c'), 0);
      assert.equal(String(await set(store, 'b')), '1');
      await store.close();
    },
  );

  single('a restart of the server makes what was under way unknown, and loads the scripts again', async (server) => {
    const store = await open(server);
    await set(store, 'a');
    server.freeze();
    const lost = Promise.allSettled([set(store, 'b'), store.fetch('GET', key('a'))]);
    await new Promise(setImmediate);
    await server.kill();
    for (const result of await lost) assert.equal(result.status === 'rejected' && result.reason.reason, 'lost');
    await assert.rejects(set(store, 'c'), { reason: 'offline' });
    await server.start();
    await store.ready(5000);
    assert.equal(String(await store.fetch('GET', key('a'))), '1');
    assert.equal(String(await set(store, 'c')), '1');
    await store.close();
  });

  single(
    'a server that answers nothing is left at the deadline, and what it did afterwards stays unknown',
    async (server) => {
      const store = await open(server);
      server.freeze();
      const started = performance.now();
      await assert.rejects(set(store, 'a'), { reason: 'late' });
      assert.ok(performance.now() - started < 2500);
      server.thaw();
      await store.ready(5000);
      assert.equal(String(await server.call('GET', 'a')), '1');
      await store.close();
    },
  );

  single('an idle connection to a server that answers nothing is noticed', async (server) => {
    const store = await open(server, { beatMs: 100 });
    await waitFor('a beat', 2000, () => performance.now() - store.heardAt < 90);
    server.freeze();
    await waitFor('no connection', 5000, () => store.generation === 0);
    assert.equal(store.heardAt, Number.NEGATIVE_INFINITY);
    server.thaw();
    await store.ready(5000);
    await store.close();
  });

  single('what does not fit into the queue is refused, the rest is carried out', async (server) => {
    const store = await open(server, { maxQueued: 10, maxReads: 10 });
    const writes = await Promise.allSettled(Array.from({ length: 15 }, (_, i) => set(store, `k${i}`)));
    assert.deepEqual(
      writes.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.reason)),
      [...Array(10).fill('ok'), ...Array(5).fill('full')],
    );
    const reads = await Promise.allSettled(Array.from({ length: 12 }, () => store.fetch('GET', key('k1'))));
    assert.equal(reads.filter((result) => result.status === 'fulfilled').length, 10);
    assert.equal(String(await set(store, 'k14')), '1');
    await store.close();
  });

  replicated('a primary that was made a replica refuses, and is not used again', 1, async ({ primary, replicas }) => {
    const states: StoreState[] = [];
    const store = await open(primary, { replicas: 0 }, states);
    await replicas[0]?.promote();
    await primary.follow(replicas[0] as RedisServer);
    await assert.rejects(set(store, 'a'), /WAIT cannot be used with replica/);
    await waitFor('a refused connection', 5000, () =>
      states.some((s) => /is not a primary/.test('reason' in s ? s.reason : '')),
    );
    assert.equal(store.generation, 0);
    await store.close();
  });

  replicated('a primary that has just restarted is not used without its replicas', 1, async ({ primary, replicas }) => {
    const states: StoreState[] = [];
    const store = await open(primary, {}, states);
    // It cannot come back, but it can be promoted.
    replicas[0]?.freeze();
    await primary.restart();
    assert.match(String(await primary.call('INFO', 'replication')), /connected_slaves:0/);
    await waitFor('a refused connection', 5000, () =>
      states.some((state) => state.kind === 'failed' && /0 of 1 replicas had the write/.test(state.reason)),
    );
    assert.equal(store.generation, 0);
    replicas[0]?.thaw();
    await store.ready(10_000);
    assert.equal(store.replicas, 1);
    await store.close();
  });

  replicated('a replica that comes into step later is counted from then on', 1, async ({ primary, replicas }) => {
    await replicas[0]?.promote();
    const store = await open(primary);
    assert.equal(store.replicas, 0);
    await replicas[0]?.follow(primary);
    await waitFor('a count of 1', 10_000, () => store.replicas === 1);
    await set(store, 'a');
    replicas[0]?.freeze();
    await assert.rejects(set(store, 'a'), { reason: 'short' });
    await store.close();
  });

  test('a server that could lose acknowledged writes is refused with one sentence that says what to set', async () => {
    const unsafe = {
      appendfsync: 'no',
      appendonly: 'no',
      'no-appendfsync-on-rewrite': 'yes',
      'maxmemory-policy': 'allkeys-lru',
    };
    for (const [name, value] of Object.entries(unsafe)) {
      const server = await startRedis({ config: { [name]: value } });
      await assert.rejects(open(server), (error: Error) => {
        assert.ok(error instanceof RedisRefused);
        assert.match(
          error.message,
          new RegExp(`could lose what it has acknowledged: set ${name} \\w+ \\(it is ${value}\\)`),
        );
        return true;
      });
      const store = await open(server, { allowUnsafe: true });
      assert.equal(String(await set(store, 'a')), '1');
      await store.close();
      await server.remove();
    }
  });

  test('a server without WAITAOF is refused where that is the setting', async () => {
    const server = await startRedis();
    await assert.rejects(open(server, { durability: 'WAITAOF' }), /has no WAITAOF: use/);
    await server.remove();
  });

  test('nobody there: the reason is told when the time is over', async () => {
    await assert.rejects(open(null, {}, [], 200), /ECONNREFUSED/);
  });
});

describe('counting under Sentinel', { skip: sentinelMissing }, () => {
  test('the promoted replica is found, with all that was acknowledged', { timeout: 60_000 }, async () => {
    const servers = await startReplicated(2);
    const sentinels = await startSentinels(servers);
    const at = { sentinels: sentinels.map(({ address }) => address), name: SENTINEL_NAME };
    const store = await open(null, { at });
    assert.equal(store.replicas, 2);
    for (let i = 0; i < 50; i++) await set(store, `k${i}`, String(i));
    const before = store.server?.runId;
    await sentinels[0]?.kill();
    await servers.primary.kill();
    await waitFor('a promoted replica', 30_000, async () => {
      const named = await namedPrimary(sentinels.slice(1), servers.replicas);
      return named !== null && store.generation > 0 && store.server?.runId !== before;
    });
    for (let i = 0; i < 50; i++) assert.equal(String(await store.fetch('GET', key(`k${i}`))), String(i));
    await waitFor('a counted write', 10_000, () => set(store, 'after'));
    await store.close();
    await Promise.all(sentinels.map((sentinel) => sentinel.remove()));
    await servers.remove();
  });

  test('a primary and a Sentinel that are cut off from all others acknowledge nothing', {
    timeout: 60_000,
  }, async () => {
    const servers = await startReplicated(2);
    const sentinels = await startSentinels(servers);
    const [near, ...far] = sentinels as [RedisServer, ...RedisServer[]];
    try {
      // As this side of a cut sees it. On the other side a replica is promoted.
      await Promise.all([...servers.replicas, ...far].map((server) => server.kill()));
      const ask = async (what: string): Promise<string> =>
        JSON.stringify(await near.call('SENTINEL', what, SENTINEL_NAME));
      await waitFor('replicas that are held for down', 20_000, async () => {
        const down = (await ask('REPLICAS')).split('s_down').length - 1;
        const silent = (await ask('SENTINELS')).match(/"last-ok-ping-reply","[2-9]\d{3}"/g) ?? [];
        return down === 2 && silent.length === 2;
      });
      const at = { sentinels: [near.address], name: SENTINEL_NAME };
      await assert.rejects(open(null, { at }, [], 1500), /0 of 2 replicas had the write/);

      await Promise.all(far.map((server) => server.start()));
      await waitFor('Sentinels that hear each other', 20_000, async () =>
        /"last-ok-ping-reply","\d{1,3}"/.test(await ask('SENTINELS')),
      );
      const store = await open(null, { at });
      assert.equal(store.replicas, 0);
      assert.equal(String(await set(store, 'a')), '1');
      await store.close();
    } finally {
      await Promise.all(sentinels.map((sentinel) => sentinel.remove()));
      await servers.remove();
    }
  });
});
