/**
 * `npm run fuzz -- --target T --runs N --seed S`: hostile inputs, the same ones for the same seed. Fails on whatever
 * crashes, answers `internal`, changes state although it was refused, or makes memory grow.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'body' },
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log('npm run fuzz -- [--target body] [--runs 10000] [--seed 1] [--replay RUN] [--json FILE]\n\nTargets:');
  for (const [name, { help }] of Object.entries(TARGETS)) console.log(`  ${name.padEnd(9)} ${help}`);
  console.log(
    '\nA crash is printed with its run and its input in base64; --replay RUN with the same seed makes it again.',
  );
  process.exit(0);
}
const target = Object.hasOwn(TARGETS, values.target) ? TARGETS[values.target] : undefined;
const [runs, seed] = [Number(values.runs), Number(values.seed)];
const replay = values.replay === undefined ? undefined : Number(values.replay);
if (!target || ![runs, seed, replay ?? 0].every((n) => Number.isSafeInteger(n) && n >= 0) || runs === 0) {
  console.error(
    `--target takes ${Object.keys(TARGETS).join(', ')}; --runs, --seed and --replay take integers. See --help.`,
  );
  process.exit(2);
}

const terminal = process.stderr.isTTY;
const result = await fuzz(target, {
  runs,
  seed,
  ...(replay === undefined ? {} : { replay }),
  ...(terminal && { progress: (made: number) => process.stderr.write(`\r${made} runs`) }),
});
if (terminal) process.stderr.write('\r\u001b[K');
for (const { run, message, input } of result.crashes) {
  console.log(`run ${run}, seed ${seed}: ${message}\n  input ${input}`);
}
const answers = Object.entries(result.answers).toSorted(([, a], [, b]) => b - a);
console.log(answers.map(([code, count]) => `${code} ${count}`).join(' · '));
console.log(`${values.target}, seed ${seed}: ${Math.round(result.runs / result.seconds)} runs/s; ${result.memory}`);
if (result.growth) console.log(result.growth);
if (values.json) writeFileSync(values.json, `${JSON.stringify({ target: values.target, seed, ...result }, null, 2)}\n`);
console.log(`${result.runs} runs, ${result.crashes.length} crashes`);
process.exit(result.crashes.length > 0 || result.growth !== null ? 1 : 0);
