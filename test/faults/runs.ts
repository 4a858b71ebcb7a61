import { clocks } from './cluster/clocks.ts';
import { cut } from './cluster/cut.ts';
import { freezeShard } from './cluster/freeze-shard.ts';
import { killRouter } from './cluster/kill-router.ts';
import { killShard } from './cluster/kill-shard.ts';
import { mixed } from './cluster/mixed.ts';
import { redisDown } from './cluster/redis-down.ts';
import { redisPromoted } from './cluster/redis-promoted.ts';
import { redisStale } from './cluster/redis-stale.ts';
import { topologies } from './cluster/topologies.ts';
import { crash } from './crash.ts';
import { damage } from './damage.ts';
import { diskFull } from './disk-full.ts';
import { drain } from './drain.ts';
import type { Journal, Result } from './journal.ts';
import { oldLog } from './old-log.ts';
import { powerCut } from './power-cut.ts';
import { Random } from './random.ts';
import { inFolder, type Scenario, Skipped } from './scenario.ts';
import { takeOver } from './take-over.ts';
import { RUNS_OF, Tally } from './tally.ts';

export const SCENARIOS = {
  crash,
  'power-cut': powerCut,
  'disk-full': diskFull,
  damage,
  'old-log': oldLog,
  drain,
  'take-over': takeOver,
  'cluster-kill-shard': killShard,
  'cluster-freeze-shard': freezeShard,
  'cluster-kill-router': killRouter,
  'cluster-redis-promoted': redisPromoted,
  'cluster-redis-stale': redisStale,
  'cluster-redis-down': redisDown,
  'cluster-cut': cut,
  'cluster-clocks': clocks,
  'cluster-topologies': topologies,
  'cluster-mixed': mixed,
} as const satisfies Record<string, Scenario>;
export type ScenarioName = keyof typeof SCENARIOS;

/** Of single nodes: every twelve runs hold each scenario. */
export const NODE_PLAN: readonly ScenarioName[] = [
  'crash',
  'power-cut',
  'crash',
  'damage',
  'crash',
  'drain',
  'crash',
  'power-cut',
  'take-over',
  'disk-full',
  'old-log',
  'crash',
];

/** Of clusters: what matters most comes first, and twice. */
const CLUSTER_PLAN: readonly ScenarioName[] = [
  'cluster-kill-shard',
  'cluster-freeze-shard',
  'cluster-redis-stale',
  'cluster-cut',
  'cluster-topologies',
  'cluster-redis-promoted',
  'cluster-mixed',
  'cluster-kill-router',
  'cluster-redis-down',
  'cluster-clocks',
  'cluster-mixed',
  'cluster-freeze-shard',
];

/** Both in turn, over and over. */
const PLAN: readonly ScenarioName[] = NODE_PLAN.flatMap((name, i) => [name, CLUSTER_PLAN[i] as ScenarioName]);

export interface Report {
  readonly runs: number;
  readonly seed: string;
  readonly violations: readonly string[];
  readonly skipped: readonly string[];
  readonly tally: Tally;
}

export interface RunAllOptions {
  readonly runs: number;
  readonly seed: string;
  readonly scenario?: ScenarioName | undefined;
  /** what is run in turn where no scenario is named */
  readonly plan?: readonly ScenarioName[];
  /** runs at a time; default 2 */
  readonly atOnce?: number;
  /** results of an earlier call that was broken off; new ones are told to it */
  readonly journal?: Journal | undefined;
  readonly print: (line: string) => void;
}

/** Runs at a time: a run waits as often as it works. */
const AT_ONCE = 2;

/** Runs seeded scenarios. A violation names its run: `--runs 1 --scenario X --seed S/i` is that run alone. */
export async function runAll({
  runs,
  seed,
  scenario,
  plan = PLAN,
  atOnce = AT_ONCE,
  journal,
  print,
}: RunAllOptions): Promise<Report> {
  const tally = new Tally();
  const results: Result[] = [];
  let next = 0;
  const one = async (i: number): Promise<void> => {
    const known = journal?.result(i);
    const name = scenario ?? (plan[i % plan.length] as ScenarioName);
    const result = known ?? (await run(i, name, runs === 1 ? seed : `${seed}/${i}`));
    if (!known) journal?.add(result);
    tally.merge(result.counts);
    results[i] = result;
    const { found, skipped } = result;
    const said = skipped ? `skipped: ${skipped}` : found.length > 0 ? `${found.length} violations` : 'ok';
    print(`run ${i + 1}/${runs} ${name} --seed ${result.seed}: ${said} (${result.seconds.toFixed(1)} s)`);
    for (const violation of found) print(`  ${violation}`);
  };
  const worker = async (): Promise<void> => {
    while (next < runs) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, runs) }, worker));
  return {
    runs,
    seed,
    violations: results.flatMap((result) => result.found.map((found) => `${result.name} ${result.seed}: ${found}`)),
    skipped: results.flatMap(({ name, skipped }) => (skipped ? [`${name}: ${skipped}`] : [])),
    tally,
  };
}

/** One run, whatever happens in it. */
async function run(i: number, name: ScenarioName, seed: string): Promise<Result> {
  const tally = new Tally();
  const started = performance.now();
  let found: string[] = [];
  let skipped: string | null = null;
  try {
    found = await inFolder((folder) => SCENARIOS[name]({ random: new Random(seed), tally, folder }));
    tally.add(`${RUNS_OF}${name}`);
  } catch (error) {
    if (error instanceof Skipped) skipped = error.message;
    else found = [`the run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  }
  return { i, name, seed, found, skipped, counts: [...tally.counts], seconds: (performance.now() - started) / 1000 };
}
