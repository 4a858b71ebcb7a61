import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE_PLAN, runAll } from './runs.ts';

const RUNS = 12;
const SEED = 'npm test';

test(`${RUNS} seeded runs of faults on real nodes keep I1 to I8 (seed ${SEED}; npm run faults does 100)`, async (t) => {
  const report = await runAll({ runs: RUNS, seed: SEED, plan: NODE_PLAN, print: (line) => t.diagnostic(line) });
  for (const line of report.tally.lines()) t.diagnostic(line);
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.tally.missing(), [], 'every dangerous moment was met');
});
