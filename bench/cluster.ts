import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalCluster } from '../cluster/local/local-cluster.ts';
import { calibrate } from './calibrate.ts';
import { CommitSupply } from './commit.ts';
import { runLoad } from './load/run-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { treeCpu } from './process-cpu.ts';
import { type BenchResult, costOf, latencies } from './result.ts';

const CONNECTIONS = 64;
const WARM_UP = 40_000;
const MEASURED = 60_000;
const RECEIPT = '"type":"Receipt"';

/** One hot enclave through one router and one shard: what each part costs (ARCHITECTURE §6). */
export async function benchCluster(options: BenchOptions): Promise<BenchResult[]> {
  const data = mkdtempSync(join(tmpdir(), 'enc-bench-cluster-'));
  const { cluster, url } = await LocalCluster.start(
    {
      shards: 1,
      host: '127.0.0.1',
      port: 0,
      data,
      redis: null,
      guard: null,
      env: process.env,
      nodeArgs: options.nodeArgs,
    },
    () => {},
  );
  // A bench that fails must not leave its cluster behind.
  const abandon = (): void => cluster.kill();
  process.once('exit', abandon);
  try {
    const supply = await CommitSupply.open(url);
    const load = { url, method: 'POST', path: '/', connections: CONNECTIONS, good: RECEIPT, rate: 0 } as const;
    await runLoad({ ...load, bodies: supply.bodies(scaled(options, WARM_UP, 1000)) });
    const bodies = supply.bodies(scaled(options, MEASURED, 1000));
    const cpu = (name: RegExp): number => cluster.pids(name).reduce((sum, pid) => sum + treeCpu(pid), 0);
    const all = (): number[] => [cpu(/^router/), cpu(/^shard/), cpu(/^redis/)];
    const before = calibrate().c;
    const start = all();
    const full = await runLoad({ ...load, bodies });
    const [router = 0, shard = 0, redis = 0] = all().map((now, i) => now - (start[i] as number));
    const c = (before + calibrate().c) / 2;
    const cost = costOf(router + shard + redis, full.good, c);
    const each = (used: number): number => ((used / full.good) * 1e6) / c;
    return [
      {
        name: 'cluster',
        what: `1 router, 1 shard, both Redis primaries; one per POST, one hot enclave, ${CONNECTIONS} connections`,
        rate: full.good / full.seconds,
        ...cost,
        ...latencies(full.latencies),
        must: 'beyond crypto ≤ 1.3 c',
        met: cost.beyond_c <= 1.3,
        goal_c: 1,
        commits: full.good,
        shard_c: each(shard),
      },
      share('cluster-router', each(router), c, 0.55),
      share('cluster-redis', each(redis), c, 0.25),
    ];
  } finally {
    process.off('exit', abandon);
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
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
