import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missing } from '../../parts/redis.ts';
import { runAll } from '../runs.ts';

const RUNS = 8;
/** A cluster waits for what broke more than it works. */
const AT_ONCE = 4;
const SEED = 'npm test';

test(`${RUNS} seeded runs of mixed faults on real clusters keep I1 to I8 (seed ${SEED})`, {
  skip: missing,
}, async (t) => {
  const print = (line: string): void => t.diagnostic(line);
  const report = await runAll({ runs: RUNS, seed: SEED, scenario: 'cluster-mixed', atOnce: AT_ONCE, print });
  for (const line of report.tally.lines()) t.diagnostic(line);
  assert.deepEqual(report.violations, []);
});
