import { freezeShard } from './cluster/freeze-shard.ts';
import { killShard } from './cluster/kill-shard.ts';
import { crash } from './crash.ts';
import { damage } from './damage.ts';
import { diskFull } from './disk-full.ts';
import { drain } from './drain.ts';
import { oldLog } from './old-log.ts';
import { powerCut } from './power-cut.ts';
import { Random } from './random.ts';
import { inFolder, type Scenario, Skipped } from './scenario.ts';
import { takeOver } from './take-over.ts';
import { Tally } from './tally.ts';

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
} as const satisfies Record<string, Scenario>;
export type ScenarioName = keyof typeof SCENARIOS;

/** One dozen, over and over: every twelve runs hold each scenario. */
const DOZEN: readonly ScenarioName[] = [
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
  readonly print: (line: string) => void;
}

/** Runs at a time: a run waits as often as it works. */
const AT_ONCE = 2;

/** Runs seeded scenarios. A violation names its run: `--runs 1 --scenario X --seed S/i` is that run alone. */
export async function runAll({ runs, seed, scenario, print }: RunAllOptions): Promise<Report> {
  const tally = new Tally();
  const violations: string[] = [];
  const skipped: string[] = [];
  let next = 0;
  const one = async (i: number): Promise<void> => {
    const name = scenario ?? (DOZEN[i % DOZEN.length] as ScenarioName);
    const own = runs === 1 ? seed : `${seed}/${i}`;
    const started = performance.now();
    let found: string[] = [];
    let result = 'ok';
    try {
      found = await inFolder((folder) => SCENARIOS[name]({ random: new Random(own), tally, folder }));
      if (found.length > 0) result = `${found.length} violations`;
      tally.add(`runs of ${name}`);
    } catch (error) {
      if (error instanceof Skipped) {
        skipped.push(`${name}: ${error.message}`);
        result = `skipped: ${error.message}`;
      } else {
        found = [`the run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
        result = 'broken off';
      }
    }
    violations.push(...found.map((violation) => `${name} ${own}: ${violation}`));
    print(
      `run ${i + 1}/${runs} ${name} --seed ${own}: ${result} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
    );
    for (const violation of found) print(`  ${violation}`);
  };
  const worker = async (): Promise<void> => {
    while (next < runs) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, runs) }, worker));
  return { runs, seed, violations, skipped, tally };
}
