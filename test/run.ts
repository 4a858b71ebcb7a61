/**
 * The whole suite: every *.test.ts of the project under Node's own test runner, whose summary comes last.
 *
 *   npm test                     everything
 *   npm run test:one -- PATH…    the files whose path contains one of these
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A test that takes longer than this hangs. */
const TEST_TIMEOUT_MS = 300_000;

const wanted = process.argv.slice(2);
const files = globSync('**/*.test.ts', {
  cwd: ROOT,
  exclude: (name) => name === 'node_modules' || name === 'data' || name.startsWith('.'),
})
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part.replace(/^\.\//, ''))))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(1);
}
const child = spawn(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${Math.max(2, Math.min(8, availableParallelism()))}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    '--test-reporter=spec',
    ...files,
  ],
  { cwd: ROOT, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
