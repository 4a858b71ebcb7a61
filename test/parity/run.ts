import { Coverage } from './coverage.ts';
import { Life } from './life.ts';
import { Inspectors, type Runtimes } from './pair.ts';
import { Random } from './random.ts';
import { identity } from './ring.ts';
import type { World } from './world.ts';

export interface RunOptions {
  readonly requests: number;
  readonly seed: number;
  /** called every now and then with the number of requests made */
  readonly progress?: (requests: number) => void;
}

export interface RunResult {
  readonly requests: number;
  readonly coverage: Coverage;
  /** first difference between the kernels, or null */
  readonly difference: string | null;
  readonly surprises: readonly string[];
}

const PEOPLE = Array.from({ length: 12 }, (_, i) => identity(`person ${i}`));
const WHOLE = { maxCommit: 1024 * 1024, maxArray: 1000 };
const NARROW = { maxCommit: 700, maxArray: 4 };

/** Drives both kernels with the same random requests until `requests` have been compared or the kernels differ. */
export function run(runtimes: Runtimes, options: RunOptions): RunResult {
  const coverage = new Coverage();
  const random = new Random(options.seed);
  const world: World = {
    runtimes,
    random,
    coverage,
    inspectors: new Inspectors(runtimes, WHOLE),
    narrow: new Inspectors(runtimes, NARROW),
    people: PEOPLE,
    surprises: [],
  };
  let requests = 0;
  let lives = 0;
  while (requests < options.requests) {
    lives++;
    let life: Life | null = null;
    try {
      life = new Life(world);
      const length = random.pick([40, 120, 250, 500, 900]);
      while (life.requests < length && requests + life.requests < options.requests) life.step();
      life.finish();
    } catch (error) {
      const made = requests + (life?.requests ?? 0);
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return {
        requests: made,
        coverage,
        difference: `seed ${options.seed}, life ${lives}, request ${made}: ${text}`,
        surprises: world.surprises,
      };
    }
    requests += life.requests;
    options.progress?.(requests);
  }
  return { requests, coverage, difference: null, surprises: world.surprises };
}
