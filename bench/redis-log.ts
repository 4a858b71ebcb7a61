import { randomBytes } from 'node:crypto';
import type { Append, EnclaveLog, Epoch } from '../shard/log/enclave-log.ts';
import { openRedisLog } from '../shard/log/redis/index.ts';
import { SampleEnclave } from '../test/conformance/sample-records.ts';
import { missing, type RedisServer, type Replicated, startReplicated } from '../test/parts/redis.ts';
import { calibrate } from './calibrate.ts';
import { type BenchOptions, scaled } from './options.ts';
import { fileBytes, rewrittenBytes } from './redis-file.ts';
import type { BenchResult } from './result.ts';

/** enclaves, events a batch, batches of an enclave in flight (ARCHITECTURE §2: at most 3) */
const LOADS = [
  { enclaves: 1, events: 30, depth: 3 },
  { enclaves: 8, events: 30, depth: 3 },
  { enclaves: 64, events: 1, depth: 1 },
];
const REPLICAS = [0, 2];
const COMMITS = 60_000;
const STORED = 4000;
const BUNDLE = 256;
/** bytes of an idle enclave's kernel state here: that of a small enclave */
const STATE_BYTES = 2000;
const NOTE = { content: JSON.stringify('x'.repeat(198)) };

interface Owned {
  readonly enclave: SampleEnclave;
  readonly epoch: Epoch;
}

/** The log in Redis from this process, records given: what a commit costs here and there, and what is kept in memory. */
export async function benchRedisLog(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`redis-log: left out, ${missing}`);
    return [];
  }
  const results: BenchResult[] = [];
  for (const replicas of REPLICAS) {
    const servers = await startReplicated(replicas);
    const log = await openRedisLog({ settings: { at: servers.primary.address }, checkpointKey: randomBytes(32) });
    try {
      for (const load of LOADS) results.push(await appends(log, servers, load, scaled(options, COMMITS, 3000)));
      if (replicas === 0) results.push(...(await memory(log, servers.primary, scaled(options, STORED, 200))));
    } finally {
      await log.close();
      await servers.remove();
    }
  }
  return results;
}

async function own(log: EnclaveLog): Promise<Owned> {
  const enclave = new SampleEnclave(randomBytes(8).toString('hex'));
  return { enclave, epoch: (await log.open(enclave.key, randomBytes(16))).epoch };
}

function batch({ enclave, epoch }: Owned, events: number, close: boolean): Omit<Append, 'done'> {
  const made = enclave.batch(
    Array.from({ length: events }, () => NOTE),
    close,
  );
  return { key: enclave.key, epoch, ...made, timestamp: enclave.timestamp, dueAt: 1, deletes: [] };
}

async function appends(
  log: EnclaveLog,
  servers: Replicated,
  { enclaves, events, depth }: (typeof LOADS)[number],
  commits: number,
): Promise<BenchResult> {
  const owned = await Promise.all(Array.from({ length: enclaves }, () => own(log)));
  const rounds = Math.ceil(commits / enclaves / events);
  const made = (count: number): Omit<Append, 'done'>[][] =>
    owned.map((one) => Array.from({ length: count }, (_, n) => batch(one, events, (n * events) % BUNDLE < events)));
  await run(log, made(Math.ceil(rounds / 4)), depth);
  const lists = made(rounds);
  const c = calibrate().c;
  const before = { redis: await serverCpu(servers.primary), own: process.cpuUsage(), at: performance.now() };
  await run(log, lists, depth);
  const done = rounds * enclaves * events;
  const seconds = (performance.now() - before.at) / 1000;
  const spent = process.cpuUsage(before.own);
  const redis = (((await serverCpu(servers.primary)) - before.redis) / done) * 1e6;
  const shard = (spent.user + spent.system) / done;
  return {
    name: `redis-log-${servers.replicas.length}-${enclaves}x${events}`,
    what: `log in Redis, ${servers.replicas.length} replicas, ${enclaves} enclaves, batches of ${events}`,
    rate: done / seconds,
    cost_us: shard + redis,
    shard_us: shard,
    redis_us: redis,
    c_us: c,
    redis_c: redis / c,
  };
}

/** CPU that a server has used so far, all its threads, in seconds. */
async function serverCpu(server: RedisServer): Promise<number> {
  return Number(await server.info('used_cpu_user')) + Number(await server.info('used_cpu_sys'));
}

function run(log: EnclaveLog, lists: readonly Omit<Append, 'done'>[][], depth: number): Promise<unknown> {
  const one = (list: readonly Omit<Append, 'done'>[]): Promise<void> =>
    new Promise((resolve, reject) => {
      let next = 0;
      let open = 0;
      const fill = (): void => {
        if (next === list.length && open === 0) return resolve();
        for (; open < depth && next < list.length; open++)
          log.append({
            ...(list[next++] as Omit<Append, 'done'>),
            done: (result) => {
              if (result !== 'ok') return reject(new Error(`an append was ${result}`));
              open--;
              fill();
            },
          });
      };
      fill();
    });
  return Promise.all(lists.map(one));
}

/** Bytes of the server's memory: for an enclave that sleeps, and for an event of one that grows. */
async function memory(log: EnclaveLog, server: RedisServer, count: number): Promise<BenchResult[]> {
  const used = async (): Promise<number> => Number(await server.info('used_memory'));
  const before = await used();
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const one = await own(log);
    await run(log, [[batch(one, 1, true)]], 1);
    const { head, timestamp } = one.enclave;
    await log.checkpoint(one.enclave.key, one.epoch, {
      head,
      base: randomBytes(STATE_BYTES),
      recent: new Uint8Array(0),
      recentFrom: 0,
      recentMaxExp: 0,
      timestamp,
    });
    kept += STATE_BYTES + ((await log.usage(one.enclave.key))?.bytes ?? 0);
    log.release(one.enclave.key);
  }
  const idle = (await used()) - before;
  const results: BenchResult[] = [
    {
      name: 'redis-log-idle',
      what: `an enclave of one event, its bundle closed, and a state of ${STATE_BYTES} bytes, asleep in Redis`,
      enclave_bytes: idle / count,
      of_them_kept_bytes: kept / count,
    },
  ];
  for (const events of [1, 30]) {
    const one = await own(log);
    const start = await used();
    const written = await rewrittenBytes(server);
    const batches = Math.ceil((8 * count) / events);
    await run(log, [Array.from({ length: batches }, (_, n) => batch(one, events, (n * events) % BUNDLE < events))], 3);
    results.push({
      name: `redis-log-event-${events}`,
      what: `an event with 200 bytes of content in a batch of ${events}, with its index rows as far as they are written`,
      event_bytes: ((await used()) - start) / batches / events,
      file_bytes: ((await fileBytes(server)) - written) / batches / events,
      record_bytes: ((await log.usage(one.enclave.key))?.bytes ?? 0) / batches / events,
    });
  }
  return results;
}
