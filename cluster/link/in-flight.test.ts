import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { InFlight } from './in-flight.ts';

const SEED = Number(process.env['ENC_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Few enough that ids meet again, and some that want the same place whatever the size of the table. */
const ids = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 0, max: 40 }).map((n) => (n * 2 ** 20 + 7) >>> 0),
  fc.integer({ min: 2 ** 32 - 100, max: 2 ** 32 - 1 }),
);

describe('in flight', () => {
  test('says what a Map says, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('add', 'add', 'delete', 'delete', 'clear'), ids), {
      size: 'max',
      maxLength: 1000,
    });
    fc.assert(
      fc.property(steps, (taken) => {
        const model = new Map<number, object>();
        const flying = new InFlight<object>();
        for (const [step, id] of taken) {
          if (step === 'delete') assert.equal(flying.delete(id), model.delete(id));
          else if (step === 'clear' && id % 16 === 0) {
            flying.clear();
            model.clear();
          } else if (!model.has(id)) {
            const item = { id };
            flying.add(id, item);
            model.set(id, item);
          }
          assert.equal(flying.size, model.size);
          assert.equal(flying.get(id), model.get(id));
        }
        for (const [id, item] of model) assert.equal(flying.get(id), item);
        assert.deepEqual(new Set(flying.values()), new Set(model.values()));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('an id of before is not taken for one of now that lies in its place', () => {
    const flying = new InFlight<string>();
    flying.add(1, 'one');
    flying.delete(1);
    flying.add(65, 'another');
    assert.equal(flying.get(1), undefined);
    assert.equal(flying.delete(1), false);
    assert.equal(flying.get(65), 'another');
  });

  test('what is over is gone with the next collection of what is young', () => {
    const flying = new InFlight<object>();
    const CALLS = 20_000;
    const KIB_EACH = 1;
    setFlagsFromString('--expose-gc');
    const collect: (options?: { type: 'minor' }) => void = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let id = 1; id <= CALLS; id++) {
      flying.add(id, new Array(KIB_EACH * 128).fill(id));
      if (id > 64) flying.delete(id - 64);
      if (id % 1000 === 0) collect({ type: 'minor' });
    }
    const kept = (process.memoryUsage().heapUsed - before) / 1024;
    assert.equal(flying.size, 64);
    assert.ok(kept < (CALLS * KIB_EACH) / 10, `${kept.toFixed(0)} KiB are kept`);
  });
});
