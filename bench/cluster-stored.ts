import { missing, type Replicated } from '../test/parts/redis.ts';
import type { ClusterHouse } from './cluster-house.ts';
import {
  atRate,
  costPerCommit,
  type Measured,
  NO_GROWTH,
  ratioRow,
  routerPerCommit,
  SAME_RATE,
  saturatedRow,
} from './cluster-load.ts';
import { ClusterScene } from './cluster-scene.ts';
import { type BenchOptions, scaled } from './options.ts';
import { rewrittenBytes } from './redis-file.ts';
import type { BenchResult } from './result.ts';

const STORED = 100_000;
const TRAFFIC = 1000;
const WARM_UP = 20_000;
const MEASURED = 15_000;
/** One after the other, all to one and over a thousand: the machine's phases meet both. */
const ROUNDS = 5;
const UNIFORM = 8000;
const AT_SAME_RATE = 20_000;

interface Round {
  readonly one: Measured;
  readonly some: Measured;
  readonly ratio: number;
}

/** Many stored enclaves behind one shard, as much in flight: all to one of them, over a thousand, over all. */
export async function benchStored(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`cluster-stored: left out, ${missing}`);
    return [];
  }
  const stored = scaled(options, STORED, 500);
  const rows: BenchResult[] = [];
  await using scene = await ClusterScene.set({
    shards: 1,
    enclaves: stored,
    bench: options,
    filled: async (house) => {
      rows.push(await idleRow(house, stored));
      console.log(`  ${stored} enclaves stored`);
    },
  });
  const all = scene.enclaves;
  const [first] = all as [string];
  const traffic = all.slice(0, Math.min(TRAFFIC, all.length));
  const calm = async (enclaves: readonly string[]): Promise<number> =>
    routerPerCommit(await atRate(scene.house, scene.bodies(enclaves, AT_SAME_RATE), SAME_RATE));

  await scene.saturate([first], WARM_UP);
  await scene.saturate(traffic, WARM_UP);
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const one = await scene.saturate([first], MEASURED);
    const some = await scene.saturate(traffic, MEASURED);
    rounds.push({ one, some, ratio: costPerCommit(some) / costPerCommit(one) });
  }
  const { one, some, ratio } = rounds.toSorted((a, b) => a.ratio - b.ratio)[Math.floor(ROUNDS / 2)] as Round;
  const oneCalm = await calm([first]);
  const someCalm = await calm(traffic);
  await scene.saturate(all, UNIFORM / 4);
  const uniform = await scene.saturate(all, UNIFORM);
  const what = `1 shard, ${all.length} enclaves stored, traffic`;
  return [
    ...rows,
    saturatedRow('cluster-one', `${what} to one`, one),
    saturatedRow('cluster-stored', `${what} over ${traffic.length}`, some),
    {
      ...ratioRow(
        'cluster-stored-ratio',
        `cost per commit over ${traffic.length} of ${all.length} enclaves against one, the middle one of ${ROUNDS} rounds`,
        ratio,
        1.5,
      ),
      rounds: rounds.map((round) => round.ratio.toFixed(2)).join(', '),
    },
    saturatedRow('cluster-uniform', `${what} over all: nearly every commit opens an enclave`, uniform),
    {
      ...ratioRow(
        'cluster-router-enclaves',
        `CPU of the router per commit at ${SAME_RATE} a second, ${traffic.length} enclaves against one`,
        someCalm / oneCalm,
        NO_GROWTH,
      ),
      in_flight_together_ratio: routerPerCommit(some) / routerPerCommit(one),
    },
  ];
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
