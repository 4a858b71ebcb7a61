import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slice } from './slices.ts';

test('one slice a turn of the event loop, in the order in which they were asked for', async () => {
  const turns: string[] = [];
  let turn = 0;
  const count = (): void => {
    turn++;
    if (turn < 20) setImmediate(count);
  };
  setImmediate(count);
  const work = async (name: string, slices: number): Promise<void> => {
    for (let i = 0; i < slices; i++) {
      await slice();
      turns.push(`${name}${i} in ${turn}`);
    }
  };
  await Promise.all([work('a', 2), work('b', 3), work('c', 1)]);
  assert.deepEqual(
    turns.map((one) => one.split(' ')[0]),
    ['a0', 'b0', 'c0', 'a1', 'b1', 'b2'],
  );
  assert.equal(new Set(turns.map((one) => one.split(' in ')[1])).size, turns.length, turns.join(', '));
});
