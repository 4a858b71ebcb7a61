import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLICE_MS, slice, sliceEnd } from './slices.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work on the thread for `ms`. */
function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** In which turn of the event loop each of `workers` had each of its slices, in the order in which they were had. */
async function slices(workers: number, each: number, ms: number): Promise<[worker: number, turn: number][]> {
  const had: [number, number][] = [];
  let now = 0;
  let done = false;
  const count = (async () => {
    for (; !done; now++) await turn();
  })();
  const work = async (worker: number): Promise<void> => {
    for (let i = 0; i < each; i++) {
      await slice();
      assert.ok(sliceEnd() > 0);
      had.push([worker, now]);
      busy(ms);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  done = true;
  await count;
  return had;
}

test('work longer than a slice has a turn of the event loop for itself, in the order in which it was asked for', async () => {
  const had = await slices(3, 2, SLICE_MS * 1.5);
  assert.deepEqual(
    had.map(([worker]) => worker),
    [0, 1, 2, 0, 1, 2],
  );
  assert.equal(new Set(had.map(([, when]) => when)).size, had.length, JSON.stringify(had));
});

test('short work shares a turn, in order, and all of it comes to its end', async () => {
  const had = await slices(400, 2, 0);
  assert.deepEqual(
    had.map(([worker]) => worker),
    [...Array(400).keys(), ...Array(400).keys()],
  );
  const turns = new Set(had.map(([, when]) => when)).size;
  assert.ok(turns < 100, `${turns} turns`);
});

test('one that asks alone is given the next turn', async () => {
  for (let i = 0; i < 3; i++) {
    let had = false;
    void slice().then(() => {
      had = true;
    });
    await Promise.resolve();
    assert.equal(had, false);
    await turn();
    assert.equal(had, true);
  }
});
