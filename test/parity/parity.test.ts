import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './run.ts';
import { reference, wasm } from './runtimes.ts';

const SEED = 7;
const REQUESTS = 3000;

test('both kernels answer the same random requests with the same bytes and the same state', async (t) => {
  t.diagnostic(`seed ${SEED}, ${REQUESTS} requests`);
  const result = run([await wasm(), reference], { requests: REQUESTS, seed: SEED });
  assert.equal(result.difference, null);
  assert.deepEqual(result.surprises, []);
  assert.ok(result.requests >= REQUESTS);
});

test('the same seed makes the same run', async () => {
  const counts = async (): Promise<unknown> => {
    const { coverage } = run([reference, reference], { requests: 400, seed: 3 });
    return coverage.sections().map(([, section]) => [...section]);
  };
  assert.deepEqual(await counts(), await counts());
});
