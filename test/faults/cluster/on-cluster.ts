import { setTimeout as sleep } from 'node:timers/promises';
import { missing, sentinelMissing } from '../../parts/redis.ts';
import { STALE_MS } from '../check-history.ts';
import { checkSecrets, countRetries, judge } from '../judge.ts';
import { DidNotStart } from '../node-process.ts';
import { Random } from '../random.ts';
import { type RunContext, Skipped } from '../scenario.ts';
import { Stuck } from '../workload.ts';
import { type ClusterOptions, FaultCluster } from './fault-cluster.ts';
import { Load } from './load.ts';

/** Commits that are sent once more at the end. */
const RESENT = 20;

export interface ClusterRun extends RunContext {
  readonly cluster: FaultCluster;
  readonly load: Load;
  /** a violation */
  readonly say: (violation: string) => void;
}

/** What shards and routers count, and the moment that it shows. */
const COUNTED = [
  ['enc_append_failures_total{result="fenced"}', 'fence under load'],
  ['enc_append_failures_total{result="unknown"}', 'append of unknown outcome'],
  ['enc_guard_failures_total{result="refused"}', 'watermark refused by the guard'],
  ['enc_guard_failures_total{result="unknown"}', 'watermark of unknown outcome'],
  ['enc_take_overs_total', 'take-over'],
  ['enc_given_back_total', 'take-back'],
  ['enc_router_moved_total', 'request moved'],
  ['enc_router_stale_total', 'old topology refused'],
  ['enc_router_retries_total', 'request sent again by a router'],
] as const;

/**
 * Runs `work` on a cluster of real processes, mends what it broke, and judges all that the clients remember. What does not
 * come back in time is a violation as well.
 */
export async function onCluster(
  context: RunContext,
  options: ClusterOptions,
  work: (run: ClusterRun) => Promise<void>,
): Promise<string[]> {
  const skip = options.sentinel ? sentinelMissing : missing;
  if (skip) throw new Skipped(skip);
  const { random, tally, folder } = context;
  const cluster = await FaultCluster.start(folder, options);
  // Its own source of chance: what breaks is decided by the seed alone, however the clients get on.
  const load = new Load(cluster.routers, new Random(random.int(0, 1e9)));
  const violations: string[] = [];
  try {
    await work({ ...context, cluster, load, say: (violation) => void violations.push(violation) });
    await cluster.mend();
    const mended = performance.now();
    await load.stop();
    await load.served();
    await load.workload.resend(RESENT);
    // A shard that was frozen until `mend` may answer reads from what it knew, for that long (ARCHITECTURE §3).
    await sleep(Math.max(0, mended + STALE_MS - performance.now()));
    const { violations: found, views } = await judge(cluster.url, load.workload.history, random, tally);
    violations.push(...found);
    for (const [name, moment] of COUNTED) tally.add(moment, await cluster.count(name));
    const said = [...cluster.shards, ...cluster.routers].map(({ node }) => node?.said ?? '');
    violations.push(...checkSecrets(cluster.data, views.values(), [...cluster.outputs, ...said]));
  } catch (error) {
    if (!(error instanceof Stuck || error instanceof DidNotStart)) throw error;
    violations.push(error.message);
    if (process.env['ENC_FAULTS_LOG'])
      for (const { node } of [...cluster.shards, ...cluster.routers]) process.stderr.write(`${node?.said}\n----\n`);
  } finally {
    await cluster.stop();
  }
  countRetries(load.workload.history, tally);
  tally.add('acknowledged commits of clusters', load.workload.acknowledged);
  return violations;
}
