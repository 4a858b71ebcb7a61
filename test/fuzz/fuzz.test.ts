import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuzz } from './fuzz.ts';
import { Answers, Crash, type FuzzTarget } from './target.ts';
import { TARGETS } from './targets.ts';

const SEED = 7;
/** Runs of each target that fit a test; `npm run fuzz` makes more. */
const RUNS: Readonly<Record<string, number>> = {
  body: 4000,
  http: 300,
  session: 300,
  filter: 300,
  manifest: 200,
  snapshot: 25,
  log: 9,
};

describe(`short runs of every target, seed ${SEED}`, () => {
  for (const [name, target] of Object.entries(TARGETS)) {
    it(name, async () => {
      const runs = RUNS[name];
      assert.ok(runs, `${name} has no number of runs here`);
      const result = await fuzz(target, { runs, seed: SEED, samples: 4 });
      assert.deepEqual(result.crashes, []);
      assert.equal(result.growth, null);
      assert.equal(result.runs, runs);
      assert.ok(Object.keys(result.answers).length > 1, 'all were answered alike');
    });
  }
});

/** A target with a fault in it, of the kind that fuzzing is for. */
function faulty(fault: (run: number) => void, memory = (_run: number) => 0): FuzzTarget {
  let last = 0;
  return {
    help: '',
    stride: 10,
    open: async () => ({
      answers: new Answers(),
      run: (run) => {
        last = run;
        fault(run);
      },
      memory: () => memory(last),
      close: async () => {},
    }),
  };
}

describe('the harness itself', () => {
  it('counts crashes, tells run and input, and stops when there are many', async () => {
    const target = faulty((run) => {
      if (run % 3 === 2) throw new Crash('boom', Uint8Array.of(run));
    });
    const result = await fuzz(target, { runs: 100, seed: 1, maxCrashes: 5 });
    assert.deepEqual(
      result.crashes.map(({ run }) => run),
      [2, 5, 8, 11, 14],
    );
    assert.equal(result.crashes[0]?.input, Buffer.of(2).toString('base64'));
  });

  it('notices memory that grows with the runs, and none that fills once', async () => {
    const MIB = 2 ** 20;
    const growing = await fuzz(
      faulty(
        () => {},
        (run) => run * MIB,
      ),
      { runs: 200, seed: 1, samples: 20 },
    );
    assert.match(growing.growth ?? '', /target memory grew/);
    const filling = await fuzz(
      faulty(
        () => {},
        (run) => Math.min(run, 20) * MIB,
      ),
      { runs: 200, seed: 1, samples: 20 },
    );
    assert.equal(filling.growth, null);
  });

  it('replays a run together with what it depends on', async () => {
    const seen: number[] = [];
    await fuzz(
      faulty((run) => void seen.push(run)),
      { runs: 1000, seed: 1, replay: 24 },
    );
    assert.deepEqual(seen, [20, 21, 22, 23, 24]);
  });

  it('makes the same inputs from the same seed', async () => {
    const body = TARGETS['body'] as FuzzTarget;
    const runs = { runs: 300, seed: 5, samples: 1 };
    assert.deepEqual((await fuzz(body, runs)).answers, (await fuzz(body, runs)).answers);
  });
});
