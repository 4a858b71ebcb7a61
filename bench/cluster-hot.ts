import { missing } from '../test/parts/redis.ts';
import { ClusterHouse } from './cluster-house.ts';
import { saturate, saturatedRow } from './cluster-load.ts';
import { CommitSupply } from './commit.ts';
import { type BenchOptions, scaled } from './options.ts';
import type { BenchResult } from './result.ts';

const WARM_UP = 40_000;
const MEASURED = 60_000;
const REPLICATED = 30_000;

/** What a commit to one hot enclave costs in a cluster (ARCHITECTURE §6). */
export async function benchHot(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`cluster-hot: left out, ${missing}`);
    return [];
  }
  return [...(await hot(options)), await replicated(options)];
}

/** One hot enclave through one router and one shard: what each part costs. */
async function hot(options: BenchOptions): Promise<BenchResult[]> {
  const house = await ClusterHouse.start({ shards: 1, nodeArgs: options.nodeArgs });
  try {
    const supply = await CommitSupply.open(house.url);
    await saturate(house, supply.bodies(scaled(options, WARM_UP, 1000)));
    const run = await saturate(house, supply.bodies(scaled(options, MEASURED, 1000)));
    const row = saturatedRow('cluster', '1 router, 1 shard, both Redis primaries; one hot enclave', run);
    const part = (used: number): number => ((used / run.load.good) * 1e6) / run.c;
    const beyond = row.beyond_c as number;
    return [
      { ...row, must: 'beyond crypto ≤ 1.3 c', met: beyond <= 1.3, goal_c: 1 },
      share('cluster-router', part(run.cpu.router), run.c, 0.55),
      share('cluster-redis', part(run.cpu.log + run.cpu.guard), run.c, 0.25),
    ];
  } finally {
    await house.remove();
  }
}

function share(name: string, cost: number, c: number, must: number): BenchResult {
  return {
    name,
    what: 'its part of the same run, in c',
    cost_us: cost * c,
    c_us: c,
    part_c: cost,
    must: `≤ ${must} c`,
    met: cost <= must,
  };
}

/** The same with a replica of each Redis, which every write waits for. What the replicas cost stands apart. */
async function replicated(options: BenchOptions): Promise<BenchResult> {
  const house = await ClusterHouse.start({ shards: 1, replicas: 1, nodeArgs: options.nodeArgs });
  try {
    const supply = await CommitSupply.open(house.url);
    await saturate(house, supply.bodies(scaled(options, REPLICATED / 2, 1000)));
    const run = await saturate(house, supply.bodies(scaled(options, REPLICATED, 1000)));
    const what = 'log and guard with a replica each, counted; the replicas are not in the cost';
    const replicas = (run.cpu.replicas / run.load.good) * 1e6;
    return {
      ...saturatedRow('cluster-replicated', what, run),
      replicas_us: replicas,
      replicas_c: replicas / run.c,
    };
  } finally {
    await house.remove();
  }
}
