import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import type { Head } from '../../../kernel/kernel.ts';
import { guardConformance } from '../../../test/conformance/guard-conformance.ts';
import {
  inStep,
  missing,
  namedPrimary,
  type RedisServer,
  type Replicated,
  SENTINEL_NAME,
  sentinelMissing,
  startRedis,
  startReplicated,
  startSentinels,
} from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import type { LogKey } from '../../log/enclave-log.ts';
import { RedisRefused } from '../../redis/redis-errors.ts';
import type { RedisSettings } from '../../redis/redis-settings.ts';
import type { StoreState } from '../../redis/redis-store.ts';
import { enclaveKey } from '../../redis/row-key.ts';
import type { ReleaseGuard } from '../release-guard.ts';
import { openRedisGuard, type RedisGuardOptions } from './redis-guard.ts';

const key: LogKey = { enclave: new Uint8Array(32).fill(1), lane: 0 };
const head = (seq: number): Head => ({
  seq,
  chain: new Uint8Array(32),
  bundles: 0,
  ctRoot: new Uint8Array(32).fill(2),
});
const advance = (guard: ReleaseGuard, from: number, to: number): Promise<string> =>
  new Promise((done) => guard.advance({ key, from: head(from), to: head(to), done }));

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function open(at: RedisSettings['at'], options: Partial<RedisGuardOptions> = {}): Promise<ReleaseGuard> {
  const guard = await openRedisGuard({ settings: { at, waitMs: 300, deadlineMs: 900 }, openMs: 5000, ...options });
  undo.push(() => guard.close());
  return guard;
}

async function single(config: Record<string, string> = {}): Promise<RedisServer> {
  const server = await startRedis({ config });
  undo.push(() => server.remove());
  return server;
}

async function replicated(replicas: number): Promise<Replicated> {
  const servers = await startReplicated(replicas);
  undo.push(() => servers.remove());
  return servers;
}

/** Retries what is unknown while a connection is being made anew. */
const answered = (guard: ReleaseGuard) =>
  waitFor('an answer', 10_000, async () => (await guard.read(key)) !== undefined);

if (missing) test('release guard: one Redis', { skip: missing }, () => {});
else {
  const server = startRedis();
  let db = 0;
  guardConformance('one Redis', async () => {
    const settings: RedisSettings = { at: (await server).address, db: db++ };
    return { open: () => openRedisGuard({ settings }), remove: async () => {} };
  });
  after(async () => (await server).remove());
}

if (sentinelMissing)
  test('release guard: primary and two replicas under Sentinel', { skip: sentinelMissing }, () => {});
else {
  let servers: Promise<{ servers: Replicated; sentinels: RedisServer[] }> | null = null;
  let db = 0;
  const start = async () => {
    const replicated = await startReplicated(2);
    return { servers: replicated, sentinels: await startSentinels(replicated) };
  };
  guardConformance('primary and two replicas under Sentinel', async () => {
    servers ??= start();
    const { sentinels } = await servers;
    const at = { sentinels: sentinels.map(({ address }) => address), name: SENTINEL_NAME };
    const settings: RedisSettings = { at, db: db++ };
    return { open: () => openRedisGuard({ settings }), remove: async () => {} };
  });
  after(async () => {
    const started = await servers;
    for (const sentinel of started?.sentinels ?? []) await sentinel.remove();
    await started?.servers.remove();
  });
}

/** The counting rules of ARCHITECTURE §3, as the guard needs them. */
describe('release guard: counting', { skip: missing }, () => {
  test('short count: the move is unknown, and whoever opens anew reads what is true', async () => {
    const { primary, replicas } = await replicated(2);
    const guard = await open(primary.address);
    await guard.create(key, head(-1));
    replicas[0]?.freeze();
    assert.equal(await advance(guard, -1, 0), 'unknown');
    assert.equal(await advance(guard, 0, 1), 'unknown');
    replicas[0]?.thaw();
    await answered(guard);
    assert.equal((await guard.read(key))?.seq, 0);
  });

  test('reconnect with a frozen replica: what only the primary has is neither read nor confirmed', async () => {
    const { primary, replicas } = await replicated(1);
    const states: StoreState[] = [];
    const guard = await open(primary.address, { onState: (state) => states.push(state) });
    await guard.create(key, head(-1));
    replicas[0]?.freeze();
    assert.equal(await advance(guard, -1, 0), 'unknown');
    await waitFor('a new connection that is refused', 5000, () => states.some((state) => state.kind === 'failed'));
    // A plain GET would say 0, and a WAIT of a new connection that it is safe.
    assert.equal(await primary.call('WAIT', 1, 50), 1);
    assert.equal(await primary.call('EXISTS', enclaveKey('g', key.enclave)), 1);
    await assert.rejects(guard.read(key), { name: 'GuardUnavailable' });
    await assert.rejects(guard.create(key, head(-1)), { name: 'GuardUnavailable' });
    assert.equal(await advance(guard, 0, 0), 'unknown');
    // So a promotion that loses it has cost nothing.
    await primary.kill();
    replicas[0]?.thaw();
  });

  test('a read, a refused create and a move to the same head are counted on their own', async () => {
    const { primary, replicas } = await replicated(1);
    const settings = { at: primary.address, waitMs: 300, deadlineMs: 900, beatMs: 60_000 };
    const guard = await open(primary.address, { settings });
    await guard.create(key, head(-1));
    const calls: [string, () => Promise<unknown>][] = [
      ['read', () => guard.read(key)],
      ['create', () => guard.create(key, head(-1))],
      ['move', () => advance(guard, -1, -1)],
    ];
    for (const [name, call] of calls) {
      await answered(guard);
      const before = Number(await primary.info('aof_current_size'));
      await call();
      assert.ok(Number(await primary.info('aof_current_size')) > before, `${name} writes something before its WAIT`);
      replicas[0]?.freeze();
      const result = await call().catch((error: Error) => error.name);
      assert.ok(result === 'unknown' || result === 'GuardUnavailable', `${name}: ${result}`);
      replicas[0]?.thaw();
    }
  });

  test('NOSCRIPT: unknown, not sent again, and the scripts are back', async () => {
    const server = await single();
    const guard = await open(server.address);
    await guard.create(key, head(-1));
    await server.call('SCRIPT', 'FLUSH');
    assert.equal(await advance(guard, -1, 0), 'unknown');
    await answered(guard);
    assert.equal((await guard.read(key))?.seq, -1);
    await server.restart();
    await answered(guard);
    assert.equal(await advance(guard, -1, 0), 'ok');
  });

  test('appendfsync no is refused with a sentence', async () => {
    const server = await single({ appendfsync: 'no' });
    await assert.rejects(open(server.address), /set appendfsync always \(it is no\)/);
  });

  test('stale promotion: the move is refused, a new row is missing', async () => {
    const { primary, replicas } = await replicated(1);
    const [stale] = replicas as [RedisServer];
    const guard = await open(primary.address);
    await guard.create(key, head(-1));
    assert.equal(await advance(guard, -1, 0), 'ok');
    // Cut off with what it has now; the operator lowers the count without taking it out of promotion.
    await stale.promote();
    const lowered = await openRedisGuard({ settings: { at: primary.address, replicas: 0 } });
    const other: LogKey = { enclave: new Uint8Array(32).fill(9), lane: 0 };
    assert.equal(await advance(lowered, 0, 1), 'ok');
    assert.equal(await lowered.create(other, head(-1)), true);
    await lowered.close();
    await primary.kill();

    const promoted = await open(stale.address);
    assert.equal(await advance(promoted, 1, 2), 'refused');
    assert.equal((await promoted.read(key))?.seq, 0);
    assert.equal(await promoted.read(other), null);
  });
});

describe('release guard: which store', { skip: missing }, () => {
  test('a server that holds the log is refused, unless told', async () => {
    const server = await single();
    const runId = String(await server.info('run_id'));
    const shared = { logServers: () => ['other', runId] };
    await assert.rejects(open(server.address, shared), (error: Error) => {
      assert.ok(error instanceof RedisRefused);
      assert.match(error.message, /holds the log too: give the guard a server of its own/);
      return true;
    });
    const guard = await open(server.address, { ...shared, allowShared: true });
    assert.equal(await guard.create(key, head(-1)), true);
  });

  test('a server that comes back empty is another guard: nothing is made or moved in it', async () => {
    const server = await single();
    const states: StoreState[] = [];
    const guard = await open(server.address, { onState: (state) => states.push(state) });
    await guard.create(key, head(-1));
    await server.call('FLUSHALL');
    await server.restart();
    const refused = () =>
      states.some((state) => 'reason' in state && /holds another guard than before/.test(state.reason));
    await waitFor('the refusal', 5000, refused);
    await assert.rejects(guard.create(key, head(-1)), { name: 'GuardUnavailable' });
  });

  test('a guard of a newer format is refused at once', async () => {
    const server = await single();
    await (await open(server.address)).close();
    await server.call('HSET', 'enc:guard', 'format', Buffer.from([99, 0]));
    const started = performance.now();
    await assert.rejects(open(server.address), /format 99.*newer version/);
    assert.ok(performance.now() - started < 3000);
  });

  test('a watermark with a flipped bit is an error, not another head, and is not moved', async () => {
    const server = await single();
    const guard = await open(server.address);
    await guard.create(key, head(3));
    await server.call('SETRANGE', enclaveKey('g', key.enclave), 20, 'x');
    await assert.rejects(guard.read(key), { name: 'GuardDamaged' });
    assert.equal(await advance(guard, 3, 4), 'refused');
  });
});

describe('release guard: fail-over', { skip: sentinelMissing }, () => {
  test('the promoted replica has every watermark that was answered', { timeout: 60_000 }, async () => {
    const servers = await replicated(2);
    const sentinels = await startSentinels(servers);
    undo.push(() => Promise.all(sentinels.map((sentinel) => sentinel.remove())));
    const guard = await open({ sentinels: sentinels.map(({ address }) => address), name: SENTINEL_NAME });
    await guard.create(key, head(-1));
    let last = -1;
    for (let seq = 0; seq < 40; seq++) {
      if (seq === 20) void servers.primary.kill();
      if ((await advance(guard, last, seq)) === 'ok') last = seq;
      else {
        const row = await waitFor('the watermark', 30_000, () => guard.read(key));
        assert.ok(row.seq === last || row.seq === seq, `${row.seq}: ${last} was answered, ${seq} is unknown`);
        last = row.seq;
      }
    }
    const promoted = await namedPrimary(sentinels, servers.replicas);
    assert.ok(promoted);
    await inStep(promoted, 1);
    assert.equal((await guard.read(key))?.seq, last);
  });
});
