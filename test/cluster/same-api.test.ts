import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** These look at what a node counts on its operator port, which a router does not know, or into its log. */
const OF_ONE_NODE = /(operator|sleep|in-flight|checkpoints)\.test\.ts$/;

test('a router in front of shards passes the suites of a single node: status, headers and every byte', async () => {
  const suites = globSync('test/api/*.test.ts', { cwd: ROOT }).filter((file) => !OF_ONE_NODE.test(file));
  // Started as a test file of its own, not as a part of this one.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=dot', ...suites], {
    cwd: ROOT,
    env: { ...env, ENC_TEST_SHARDS: '3' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  process.off('exit', kill);
  assert.equal(code, 0, said.slice(-8000));
});
