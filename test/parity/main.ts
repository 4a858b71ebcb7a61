/**
 * `npm run parity -- --requests N --seed S [--json FILE]`: the same random requests through the WASM kernel and the
 * reference kernel, compared byte for byte after every step. Prints what was reached; from 20,000 requests on, a run
 * that has not reached everything fails.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { run } from './run.ts';
import { reference, wasm } from './runtimes.ts';

/** Below this many requests luck decides whether every rare rule is reached. */
const COMPLETE = 20_000;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(
    'npm run parity -- [--requests 20000] [--seed 1] [--json FILE]\n\nCompares the WASM kernel with the reference kernel on random requests.',
  );
  process.exit(0);
}
const requests = Number(values.requests);
const seed = Number(values.seed);
if (!Number.isSafeInteger(requests) || requests < 1 || !Number.isSafeInteger(seed)) {
  console.error('--requests and --seed take integers');
  process.exit(2);
}

const runtimes = [await wasm(), reference] as const;
const terminal = process.stderr.isTTY;
const result = run(runtimes, {
  requests,
  seed,
  ...(terminal && { progress: (made: number) => process.stderr.write(`\r${made} requests`) }),
});
if (terminal) process.stderr.write('\r');

for (const [section, counts] of result.coverage.sections()) {
  console.log(`${section}:`);
  console.log(`  ${[...counts].map(([name, count]) => `${name} ${count}`).join(' · ')}`);
}
const missing = result.coverage.missing();
if (missing.length > 0)
  console.log(
    `never reached: ${missing.join(' · ')}${requests < COMPLETE ? ' (a short run need not reach everything)' : ''}`,
  );
for (const surprise of result.surprises.slice(0, 10))
  console.log(`the generator's model expected otherwise: ${surprise}`);
if (result.difference) console.log(`difference: ${result.difference}`);
if (values.json) {
  const counts = Object.fromEntries(
    result.coverage.sections().map(([section, counts]) => [section, Object.fromEntries(counts)]),
  );
  writeFileSync(
    values.json,
    `${JSON.stringify({ requests: result.requests, seed, differences: result.difference ? 1 : 0, missing, counts }, null, 2)}\n`,
  );
}
const complete = missing.length === 0 || requests < COMPLETE;
console.log(`${result.requests} requests, ${result.difference ? 1 : 0} differences`);
process.exit(result.difference === null && complete && result.surprises.length === 0 ? 0 : 1);
