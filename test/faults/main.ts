/**
 * Seeded faults on real node processes (`npm run faults -- --runs N --seed S [--scenario X] [--resume F] [--json F]`). The last line is
 * `N runs, V violations`; the exit code is 1 if there are any, or if a dangerous moment was never met.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Journal } from './journal.ts';
import { runAll, SCENARIOS } from './runs.ts';

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    resume: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    `npm run faults -- [--runs 100] [--seed 1] [--scenario ${Object.keys(SCENARIOS).join('|')}] [--json FILE]
  --resume FILE  keeps the result of each run there; what it holds already is not run again`,
  );
  process.exit(0);
}
const runs = Number(values.runs);
if (
  !Number.isSafeInteger(runs) ||
  runs < 1 ||
  (values.scenario !== undefined && !Object.hasOwn(SCENARIOS, values.scenario))
) {
  console.error(`--runs is a count, --scenario one of ${Object.keys(SCENARIOS).join(', ')}`);
  process.exit(2);
}
const journal =
  values.resume === undefined
    ? undefined
    : new Journal(values.resume, { seed: values.seed, scenario: values.scenario ?? null });
const report = await runAll({
  runs,
  seed: values.seed,
  scenario: values.scenario as keyof typeof SCENARIOS | undefined,
  journal,
  print: (line) => console.log(line),
});
for (const line of report.tally.lines()) console.log(line);
// Moments belong to the mixture: a single scenario need not meet them.
const missing = values.scenario === undefined ? report.tally.missing() : [];
for (const moment of missing) console.log(`never met: ${moment}`);
if (values.json)
  writeFileSync(
    values.json,
    `${JSON.stringify({ ...report, tally: Object.fromEntries(report.tally.counts) }, null, 2)}\n`,
  );
console.log(`${report.runs} runs, ${report.violations.length} violations`);
process.exit(report.violations.length > 0 || missing.length > 0 ? 1 : 0);
