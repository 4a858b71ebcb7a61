import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../../test/parts/wait-for.ts';
import type { LogKey } from '../enclave-log.ts';
import { LocalHints } from './local-hints.ts';

const key = (n: number): LogKey => ({ enclave: new Uint8Array(32).fill(n), lane: 0 });

/** Work that ends when the test says so. */
class Work {
  readonly begun: number[] = [];
  readonly ends: (() => void)[] = [];
  failing = 0;

  readonly run = async ({ enclave }: LogKey): Promise<void> => {
    this.begun.push(enclave[0] as number);
    if (this.failing-- > 0) throw new Error('ordered by the test');
    await new Promise<void>((resolve) => this.ends.push(resolve));
  };

  end(): void {
    for (const end of this.ends.splice(0)) end();
  }
}

test('hints at one log are one piece of work, and one more if they come while it runs', async () => {
  const work = new Work();
  const hints = new LocalHints();
  for (let i = 0; i < 3; i++) hints.hint(key(1));
  hints.start(work.run);
  for (let i = 0; i < 3; i++) hints.hint(key(1));
  assert.deepEqual(work.begun, [1]);
  work.end();
  await waitFor('the second run', 5000, () => work.begun.length === 2);
  const closing = hints.close();
  work.end();
  await closing;
  assert.deepEqual(work.begun, [1, 1]);
});

test('few logs are worked on at a time, the others wait in order', async () => {
  const work = new Work();
  const hints = new LocalHints();
  hints.start(work.run);
  for (let n = 1; n <= 6; n++) hints.hint(key(n));
  assert.deepEqual(work.begun, [1, 2, 3, 4]);
  work.end();
  await waitFor('the others', 5000, () => work.begun.length === 6);
  assert.deepEqual(work.begun, [1, 2, 3, 4, 5, 6]);
  const closing = hints.close();
  work.end();
  await closing;
});

test('work that fails is tried again, later and later, and keeps no other from being done', async () => {
  const work = new Work();
  work.failing = 3;
  const hints = new LocalHints({ retryMs: 20 });
  hints.start(work.run);
  const started = performance.now();
  hints.hint(key(1));
  await waitFor('four tries', 5000, () => work.begun.length === 4);
  assert.ok(performance.now() - started >= 20 + 40 + 80 - 5);
  hints.hint(key(2));
  assert.equal(work.begun.at(-1), 2);
  const closing = hints.close();
  work.end();
  await closing;
});

test('what waits is bounded; closing drops it and waits for what runs', async () => {
  const work = new Work();
  const hints = new LocalHints({ maxWaiting: 3 });
  for (let n = 1; n <= 10; n++) hints.hint(key(n));
  hints.start(work.run);
  assert.deepEqual(work.begun, [1, 2, 3]);
  hints.hint(key(11));
  hints.hint(key(12));
  let closed = false;
  const closing = hints.close().then(() => (closed = true));
  await new Promise(setImmediate);
  assert.equal(closed, false);
  work.end();
  await closing;
  hints.hint(key(13));
  assert.deepEqual(work.begun, [1, 2, 3, 11]);
});
