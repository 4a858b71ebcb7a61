import assert from 'node:assert/strict';
import { test } from 'node:test';
import { command, until } from './command.ts';

const DEADLINE = { deadline: 20_000 };

test('a command gives its standard output, and gets its input', async () => {
  assert.equal(await command(['sh', '-c', 'cat; echo aside >&2'], { ...DEADLINE, input: 'in\n' }), 'in\n');
});

test('a failed command rejects with its exit code and last words', async () => {
  await assert.rejects(command(['sh', '-c', 'echo why >&2; exit 3'], DEADLINE), /exit 3\n {2}why/);
  await assert.rejects(command(['/nowhere/at/all'], DEADLINE), /ENOENT/);
});

test('a command that takes too long is killed with what it started', async () => {
  const began = performance.now();
  // The pipe is only closed when the inner one is gone, too.
  await assert.rejects(command(['sh', '-c', 'sleep 60 & sleep 60'], { deadline: 300 }), /more than 0.3 s/);
  assert.ok(performance.now() - began < 20_000);
});

test('a signal ends a command, and keeps the next one from starting', async () => {
  const stop = new AbortController();
  const running = command(['sleep', '60'], { ...DEADLINE, signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(running, /was stopped/);
  await assert.rejects(command(['true'], { ...DEADLINE, signal: stop.signal }), /enough/);
});

test('waiting ends with the answer, with the deadline, or with a signal', async () => {
  let asked = 0;
  assert.equal(await until('a third answer', 20_000, async () => (++asked === 3 ? 'yes' : undefined)), 'yes');
  const never = async (): Promise<undefined> => {
    throw new Error('nobody there');
  };
  await assert.rejects(until('an answer', 1, never), /an answer: not after 0.001 s \(nobody there\)/);
  await assert.rejects(until('an answer', 20_000, never, AbortSignal.abort(new Error('enough'))), /enough/);
});
