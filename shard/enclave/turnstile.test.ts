import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turnstile } from './turnstile.ts';

test('no more than its places at a time, in order, and a failure gives its place back', async () => {
  const turnstile = new Turnstile(2);
  const ends = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const passed = ends.map(({ promise }, i) =>
    turnstile.pass(async () => {
      begun.push(i);
      await promise;
      return i;
    }),
  );
  const settled = Promise.allSettled(passed);
  const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await quiet();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.reject(new Error('broken'));
  await quiet();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const end of ends) end.resolve();
  const results = (await settled).map((one) => (one.status === 'fulfilled' ? one.value : 'failed'));
  assert.deepEqual(results, [0, 'failed', 2, 3, 4, 5]);
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5]);
  assert.equal(await turnstile.pass(async () => 'again'), 'again');
});
