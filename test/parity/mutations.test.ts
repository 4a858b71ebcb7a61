import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestsUntilCaught } from './mutate.ts';
import { MUTATIONS } from './mutations.ts';
import { wasm } from './runtimes.ts';

/** The first seed is the one that shows the fault soonest; the others are there for when the generator changes. */
const SEEDS = [1, 2, 3, 4, 5, 6];
const REQUESTS = 4000;

test('every deliberate fault in a rule is caught', async (t) => {
  const judge = await wasm();
  assert.ok(MUTATIONS.length >= 30);
  for (const mutation of MUTATIONS) {
    await t.test(mutation.name, async (t) => {
      const seeds = [...new Set([mutation.seed ?? 1, ...SEEDS])];
      const requests = await requestsUntilCaught(judge, mutation, REQUESTS, seeds);
      t.diagnostic(`caught after ${requests} requests, seed ${seeds[0]}`);
      assert.ok(requests >= 0, 'no request told the mutant from the kernel');
    });
  }
});
