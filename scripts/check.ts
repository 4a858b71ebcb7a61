/**
 * `npm run check`: everything that can be said about the code without running it, in seconds. The steps do not depend
 * on each other and run side by side; each prints one line, a failed one its output, one that was skipped why, and the last
 * line is the result.
 *
 *   npm run check [-- STEP…]     only these steps
 *   npm run format               repairs what the formatter and the linter can repair
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = [
  'protocol',
  'tracing',
  'kernel',
  'cluster',
  'shard',
  'router',
  'client',
  'cli',
  'bench',
  'test',
  'deploy',
  'scripts',
  'bin',
];

const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name);
const STEPS: Record<string, string[]> = {
  types: [bin('tsc'), '--noEmit'],
  wasm: [process.execPath, 'kernel/build.ts', '--check'],
  observability: [process.execPath, 'deploy/observability/generate.ts', '--check'],
  dead: [process.execPath, bin('knip'), '--no-progress', '--no-config-hints'],
  rooms: [
    process.execPath,
    '--import',
    './scripts/swc-using.mjs',
    bin('depcruise'),
    '--output-type',
    'err',
    ...ROOMS.filter((room) => existsSync(join(ROOT, room))),
  ],
  style: [bin('biome'), 'check', '--error-on-warnings', '--colors=off', '--max-diagnostics=20'],
  figures: [process.execPath, 'scripts/figures.ts', '--check'],
  release: [process.execPath, 'scripts/release.ts', '--check'],
  k6: [process.execPath, 'bench/k6/build.ts', '--check'],
  lock: [process.execPath, 'scripts/lock.mjs', '--check'],
  chart: [process.execPath, 'scripts/manifests.ts', '--check'],
};

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
}

function step(name: string, command: string[]): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => output.push(Buffer.from(error.message)));
    child.on('close', (code) => {
      const ok = code === 0;
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} ${((performance.now() - started) / 1000).toFixed(1)} s`);
      const said = Buffer.concat(output).toString().trimEnd();
      if (!ok || said.startsWith('skipped')) console.log(said);
      resolve({ name, ok });
    });
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(' ')} (there are ${Object.keys(STEPS).join(', ')})`);
  process.exit(2);
}
const queue = Object.entries(STEPS).filter(([name]) => wanted.length === 0 || wanted.includes(name));
const failed: string[] = [];
const total = queue.length;
async function worker(): Promise<void> {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const outcome = await step(...next);
    if (!outcome.ok) failed.push(outcome.name);
  }
}
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
console.log(failed.length === 0 ? `check: ${total} steps ok` : `check: ${failed.join(', ')} failed`);
process.exit(failed.length === 0 ? 0 : 1);
