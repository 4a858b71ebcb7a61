import { RedisTopology } from '../cluster/topology/redis-topology.ts';
import { unhex } from '../protocol/hex.ts';
import { shardOf } from '../protocol/jump.ts';
import type { Replicated } from '../test/parts/redis.ts';
import { waitFor } from '../test/parts/wait-for.ts';
import { ClusterHouse } from './cluster-house.ts';
import {
  costPerCommit,
  Notes,
  paced,
  ratioRow,
  routerPerCommit,
  type Saturated,
  saturate,
  saturatedRow,
} from './cluster-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { rewrittenBytes } from './redis-file.ts';
import { type BenchResult, latencies } from './result.ts';

const SHARDS = 4;
const STORED = 100_000;
const TRAFFIC = 1000;
const WARM_UP = 20_000;
const MEASURED = 30_000;
const UNIFORM = 8000;
/** Router at 1, 2 and 4 shards: enclaves in use, so that every shard has some, and commits. */
const SPREAD = 64;
const SPREAD_COMMITS = 25_000;
/** The router's work for a commit is the same whatever stands behind it; more than this would not be noise. */
const NO_GROWTH = 1.1;
/** Commits a second to healthy shards and to the one that hangs, and how long a window is, s. */
const HEALTHY_RATE = 600;
const HUNG_RATE = 60;
const WINDOW_S = 5;
const ROUNDS = 2;
const TAKEN_BACK_MS = 60_000;
const BUNDLE = { size: 256, timeout: 5000 };

/** Cost against the number of enclaves and of shards, and latency beside a shard that hangs. */
export async function benchManyEnclaves(options: BenchOptions): Promise<BenchResult[]> {
  const house = await ClusterHouse.open();
  try {
    const stored = scaled(options, STORED, 500);
    const enclaves = await house.fill((filler) => {
      filler.now = Date.now() - BUNDLE.timeout;
      return filler.many(stored, filler.corpus.author(0), [filler.corpus.author(1)], BUNDLE);
    });
    const idle = await idleRow(house, stored);
    console.log(`  ${stored} enclaves stored`);
    await house.start({ shards: SHARDS, nodeArgs: options.nodeArgs });
    const topology = new RedisTopology(house.logUrl, () => {});
    await topology.connected(10_000);
    try {
      const many = new Many(house, topology, enclaves, await Notes.open(), options);
      return [idle, ...(await many.stored()), ...(await many.shards()), await many.hang()];
    } finally {
      await topology.close();
    }
  } finally {
    await house.remove();
  }
}

/** What an enclave that sleeps takes up in both Redis, in memory and in their files once those are rewritten. */
async function idleRow({ log, guard }: ClusterHouse, enclaves: number): Promise<BenchResult> {
  const memory = async ({ primary }: Replicated): Promise<number> =>
    (Number(await primary.info('used_memory')) - Number(await primary.info('used_memory_startup'))) / enclaves;
  const disk = async ({ primary }: Replicated): Promise<number> => (await rewrittenBytes(primary)) / enclaves;
  return {
    name: 'cluster-idle',
    what: `each of ${enclaves} enclaves of one event that sleep: log, keys and guard`,
    log_bytes: await memory(log),
    guard_bytes: await memory(guard),
    log_disk_bytes: await disk(log),
    guard_disk_bytes: await disk(guard),
    enclaves,
  };
}

class Many {
  readonly #house: ClusterHouse;
  readonly #topology: RedisTopology;
  readonly #enclaves: readonly string[];
  readonly #notes: Notes;
  readonly #options: BenchOptions;

  constructor(
    house: ClusterHouse,
    topology: RedisTopology,
    enclaves: readonly string[],
    notes: Notes,
    options: BenchOptions,
  ) {
    this.#house = house;
    this.#topology = topology;
    this.#enclaves = enclaves;
    this.#notes = notes;
    this.#options = options;
  }

  /** One shard, the same number in flight: all to one enclave, over a thousand, over all that are stored. */
  async stored(): Promise<BenchResult[]> {
    await this.#reshape(1);
    const all = this.#enclaves;
    const [first] = all as [string];
    const traffic = all.slice(0, Math.min(TRAFFIC, all.length));
    const one = await this.#run([first], WARM_UP, MEASURED);
    const some = await this.#run(traffic, WARM_UP, MEASURED);
    const uniform = await this.#run(all, UNIFORM / 4, UNIFORM);
    const what = `1 shard, ${all.length} enclaves stored, traffic`;
    return [
      saturatedRow('cluster-one', `${what} to one`, one),
      saturatedRow('cluster-stored', `${what} over ${traffic.length}`, some),
      ratioRow(
        'cluster-stored-ratio',
        `cost per commit over ${traffic.length} of ${all.length} enclaves against one`,
        costPerCommit(some) / costPerCommit(one),
        1.5,
      ),
      saturatedRow('cluster-uniform', `${what} over all: nearly every commit opens an enclave`, uniform),
      ratioRow(
        'cluster-router-enclaves',
        `CPU of the router per commit, ${traffic.length} enclaves against one`,
        routerPerCommit(some) / routerPerCommit(one),
        NO_GROWTH,
      ),
    ];
  }

  /** One router before 1, 2 and 4 shards. */
  async shards(): Promise<BenchResult[]> {
    const enclaves = this.#enclaves.slice(0, SPREAD);
    const runs = new Map<number, Saturated>();
    for (const shards of [1, 2, SHARDS]) {
      await this.#reshape(shards);
      runs.set(shards, await this.#run(enclaves, SPREAD_COMMITS / 4, SPREAD_COMMITS, shards));
    }
    const of = (shards: number): number => routerPerCommit(runs.get(shards) as Saturated);
    return [
      ...[...runs].map(([shards, run]) =>
        saturatedRow(`cluster-shards-${shards}`, `1 router, ${shards} shards, ${enclaves.length} enclaves`, run),
      ),
      ...[2, SHARDS].map((shards) =>
        ratioRow(
          `cluster-router-shards-${shards}`,
          `CPU of the router per commit, ${shards} shards against one`,
          of(shards) / of(1),
          NO_GROWTH,
        ),
      ),
    ];
  }

  /** Commits to enclaves of healthy shards in an open loop, while one shard hangs and while none does, in turns. */
  async hang(): Promise<BenchResult> {
    await this.#reshape(SHARDS);
    const of = (hung: boolean): string[] =>
      this.#enclaves.filter((id) => (shardOf(unhex(id), SHARDS) === 0) === hung).slice(0, hung ? SPREAD / 4 : SPREAD);
    const [healthy, hung] = [of(false), of(true)];
    const seconds = Math.max(1, WINDOW_S * Math.min(1, this.#options.scale));
    const window = async (): Promise<number[]> => {
      const { url } = this.#house;
      const commits = (enclaves: readonly string[], rate: number): string[] =>
        this.#notes.bodies(enclaves, Math.round(rate * seconds));
      const bodies = [commits(healthy, HEALTHY_RATE), commits(hung, HUNG_RATE)] as const;
      const [measured] = await Promise.all([
        paced(url, bodies[0], HEALTHY_RATE, 256),
        paced(url, bodies[1], HUNG_RATE, 256),
      ]);
      return measured.latencies;
    };
    await window();
    const calm: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await this.#settled(hung);
      calm.push(...(await window()));
      const pid = this.#house.shard(0);
      process.kill(pid, 'SIGSTOP');
      try {
        beside.push(...(await window()));
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    }
    const [without, during] = [calm, beside].map((times) => latencies(times.sort((a, b) => a - b)));
    const change = (during?.p99_ms ?? Number.NaN) / (without?.p99_ms ?? Number.NaN);
    return {
      name: 'cluster-hang',
      what: `${HEALTHY_RATE} commits/s to enclaves of ${SHARDS - 1} shards while another hangs (SIGSTOP) with ${HUNG_RATE} more under way to it, open loop; ${ROUNDS} windows of ${seconds} s, each behind one without`,
      ...during,
      calm_p50_ms: without?.p50_ms,
      calm_p99_ms: without?.p99_ms,
      ratio: change,
      must: 'p99 ≤ 1.2 × that without',
      met: change <= 1.2,
    };
  }

  async #run(enclaves: readonly string[], warmUp: number, commits: number, shards = 1): Promise<Saturated> {
    await saturate(this.#house, this.#notes.bodies(enclaves, scaled(this.#options, warmUp, 500)), shards);
    return await saturate(this.#house, this.#notes.bodies(enclaves, scaled(this.#options, commits, 1000)), shards);
  }

  async #reshape(shards: number): Promise<void> {
    await waitFor('a new topology', 10_000, async () => {
      const { topology, beats } = await this.#topology.look(SHARDS);
      if (topology.shards !== shards) await this.#topology.publish(topology.version, shards);
      return topology.shards === shards && [...beats].every(([, beat]) => beat.topology === topology.version);
    });
  }

  /** Waits until the enclaves of a shard that hung are back there. */
  async #settled(enclaves: readonly string[]): Promise<void> {
    await waitFor('enclaves to be taken back', TAKEN_BACK_MS, async () => {
      await paced(this.#house.url, this.#notes.bodies(enclaves, enclaves.length), 100, enclaves.length);
      const { beats } = await this.#topology.look(SHARDS);
      return beats.size === SHARDS && [...beats].every(([, beat]) => beat.guests === 0);
    });
  }
}
