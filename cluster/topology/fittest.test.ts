import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fittest } from './fittest.ts';
import type { Beat } from './topology-store.ts';

const recovering = (...names: readonly string[]): Beat => ({ ...beat(), recovering: names });
const beat = (...silent: readonly string[]): Beat => ({
  url: 'ws://a',
  process: 'p',
  topology: 1,
  active: 0,
  guests: 0,
  silent,
  recovering: [],
});
const counting = (shards: number, ...beats: readonly Beat[]): number[] => [
  ...fittest(new Map(beats.map((one, shard) => [shard, one])), shards).keys(),
];

test('a shard that lacks what others have does not count', () => {
  assert.deepEqual(counting(3, beat(), beat('guard'), beat()), [0, 2]);
  assert.deepEqual(counting(3, beat('log', 'guard'), beat('guard'), beat()), [2]);
  assert.deepEqual(counting(3, beat(), beat(), beat()), [0, 1, 2]);
  assert.deepEqual(counting(1), []);
});

test('what all lack is nobody’s fault: nothing moves', () => {
  assert.deepEqual(counting(2, beat('guard'), beat('guard')), [0, 1]);
  assert.deepEqual(counting(1, beat('log', 'guard')), [0]);
  assert.deepEqual(counting(2, beat('log 2'), beat('guard')), [0, 1]);
  assert.deepEqual(counting(2, beat('log', 'guard'), beat('guard')), [1]);
});

test('a shard that has just found a store again is no alternative to those that have not yet, and is fit itself', () => {
  assert.deepEqual(counting(2, beat('guard'), recovering('guard')), [0, 1]);
  assert.deepEqual(counting(3, beat('guard'), recovering('guard'), beat()), [1, 2]);
  assert.deepEqual(counting(2, beat('log', 'guard'), recovering('guard')), [1]);
});

test('a shard that leaves is no alternative', () => {
  assert.deepEqual(counting(2, beat('guard'), beat('guard'), beat()), [0, 1, 2]);
  assert.deepEqual(counting(2, beat(), beat('guard'), beat('guard')), [0, 2]);
});
