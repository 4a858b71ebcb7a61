import { randomBytes } from 'node:crypto';
import type { Head } from '../kernel/kernel.ts';
import { openRedisGuard } from '../shard/guard/redis/redis-guard.ts';
import type { ReleaseGuard } from '../shard/guard/release-guard.ts';
import type { LogKey } from '../shard/log/enclave-log.ts';
import { emptyHead } from '../shard/log/head-bytes.ts';
import { openRedis } from '../shard/redis/redis-store.ts';
import { KEY_STORE_SCRIPTS, RedisKeyStore } from '../shard/signer/redis/redis-key-store.ts';
import { missing, type RedisServer, type Replicated, startReplicated } from '../test/parts/redis.ts';
import { type BenchOptions, scaled } from './options.ts';
import { processCpu } from './process-cpu.ts';
import { type BenchResult, latencies } from './result.ts';

const ROWS = 100_000;
const MOVES = 200_000;
const REPLICAS = [0, 2];
const ENCLAVES = [64, 1000];

/** The release guard in Redis, from this process: what a move costs here and there, and what a row takes up. */
export async function benchGuard(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`guard: left out, ${missing}`);
    return [];
  }
  const results: BenchResult[] = [];
  for (const replicas of REPLICAS) {
    const servers = await startReplicated(replicas);
    const guard = await openRedisGuard({ settings: { at: servers.primary.address } });
    try {
      for (const enclaves of ENCLAVES)
        results.push(await moves(guard, servers, enclaves, scaled(options, MOVES, 10_000)));
      if (replicas === 0) results.push(...(await rows(guard, servers.primary, scaled(options, ROWS, 5000))));
    } finally {
      await guard.close();
      await servers.remove();
    }
  }
  return results;
}

/** One move at a time for each enclave, all enclaves at once. */
async function moves(guard: ReleaseGuard, servers: Replicated, enclaves: number, count: number): Promise<BenchResult> {
  const keys = Array.from({ length: enclaves }, (): LogKey => ({ enclave: randomBytes(32), lane: 0 }));
  await Promise.all(keys.map((key) => guard.create(key, emptyHead(key.enclave))));
  await run(guard, keys, Math.min(count, 20_000), 0);
  const before = { own: process.cpuUsage(), redis: processCpu(servers.primary.pid), at: performance.now() };
  const times = await run(guard, keys, count, 1_000_000);
  const seconds = (performance.now() - before.at) / 1000;
  const own = process.cpuUsage(before.own);
  const redis = ((processCpu(servers.primary.pid) - before.redis) / count) * 1e6;
  const shard = (own.user + own.system) / count;
  return {
    name: `guard-${servers.replicas.length}-${enclaves}`,
    what: `release guard in Redis, ${servers.replicas.length} replicas, ${enclaves} enclaves, one move at a time each`,
    rate: count / seconds,
    cost_us: shard + redis,
    shard_us: shard,
    redis_us: redis,
    ...latencies(times),
  };
}

async function run(guard: ReleaseGuard, keys: readonly LogKey[], count: number, first: number): Promise<number[]> {
  const times: number[] = [];
  let left = count;
  await Promise.all(
    keys.map(async (key) => {
      let head = await guard.read(key);
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          if (head === null || left-- <= 0) return resolve();
          const from: Head = head;
          const to: Head = { ...from, seq: from.seq + 1 + first };
          const started = performance.now();
          guard.advance({
            key,
            from,
            to,
            done: (result) => {
              if (result !== 'ok') return reject(new Error(`a move was ${result}`));
              times.push(performance.now() - started);
              head = to;
              next();
            },
          });
        };
        next();
      });
    }),
  );
  return times.sort((a, b) => a - b);
}

async function rows(guard: ReleaseGuard, server: RedisServer, count: number): Promise<BenchResult[]> {
  const used = async (): Promise<number> => Number(await server.info('used_memory'));
  const inWaves = async (make: (i: number) => Promise<unknown>): Promise<number> => {
    const before = await used();
    for (let at = 0; at < count; at += 2000)
      await Promise.all(Array.from({ length: Math.min(2000, count - at) }, (_, i) => make(at + i)));
    return ((await used()) - before) / count;
  };
  const store = await openRedis({
    settings: { at: server.address },
    scripts: KEY_STORE_SCRIPTS,
    beatKey: 'enc:bench:beat',
  });
  const keys = new RedisKeyStore(() => store);
  try {
    const watermark = await inWaves(() => {
      const enclave = randomBytes(32);
      return guard.create({ enclave, lane: 0 }, emptyHead(enclave));
    });
    const creator = randomBytes(32);
    const source = { kind: 'derived', seed: randomBytes(32) } as const;
    const publicKey = randomBytes(32);
    const anonymous = await inWaves(() =>
      keys.insert(randomBytes(32), { version: 1, publicKey, creator: null, source }),
    );
    const counted = await inWaves(() => keys.insert(randomBytes(32), { version: 1, publicKey, creator, source }));
    const what = `memory of Redis per row, ${count} rows`;
    return [
      { name: 'guard-row', what: `${what}: watermark`, bytes: watermark },
      { name: 'key-row', what: `${what}: key of an enclave`, bytes: anonymous },
      { name: 'key-row-creator', what: `${what}: key, counted for its creator`, bytes: counted },
    ];
  } finally {
    await store.close();
  }
}
