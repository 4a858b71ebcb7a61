import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { shardOf } from '../../protocol/jump.ts';
import { candidates, isTopology } from './topology.ts';

const id = (n: number): Uint8Array => Buffer.alloc(32, n);
const first = (enclave: Uint8Array, shards: number, n: number): number[] =>
  [...candidates(enclave, shards)].slice(0, n);

describe('candidates', () => {
  // Worked out apart from this code, with the published jump hash and sha256 (ARCHITECTURE §4).
  const table: readonly (readonly [number, number, readonly number[]])[] = [
    [0, 2, [1, 0]],
    [0, 3, [1, 0, 2]],
    [0, 6, [1, 0, 2, 4]],
    [0, 100, [48, 91, 13, 20]],
    [1, 2, [1, 0]],
    [1, 3, [2, 0, 1]],
    [1, 6, [4, 0, 1, 5]],
    [1, 100, [9, 89, 4, 1]],
    [7, 2, [1, 0]],
    [7, 3, [1, 2, 0]],
    [7, 6, [3, 5, 0, 1]],
    [7, 100, [68, 5, 0, 37]],
    [128, 2, [1, 0]],
    [128, 3, [2, 1, 0]],
    [128, 6, [2, 1, 3, 5]],
    [128, 100, [37, 45, 95, 75]],
    [255, 2, [1, 0]],
    [255, 3, [1, 0, 2]],
    [255, 6, [1, 0, 5, 3]],
    [255, 100, [67, 74, 8, 44]],
  ];

  test('are those of the table', () => {
    for (const [byte, shards, wanted] of table)
      assert.deepEqual(first(id(byte), shards, wanted.length), wanted, `${byte} of ${shards}`);
  });

  test('name the first choice first, and every shard once', () => {
    for (let byte = 0; byte < 64; byte++) {
      for (const shards of [1, 2, 3, 7, 40]) {
        const all = [...candidates(id(byte), shards)];
        assert.equal(all[0], shardOf(id(byte), shards));
        assert.deepEqual(
          [...all].sort((a, b) => a - b),
          Array.from({ length: shards }, (_, i) => i),
        );
      }
    }
  });

  test('spread the enclaves of a shard that is gone over all others', () => {
    const heirs = new Set<number>();
    for (let n = 0; n < 2000 && heirs.size < 4; n++) {
      const enclave = Buffer.alloc(32);
      enclave.writeUInt32BE(n);
      const [one, two] = candidates(enclave, 5);
      if (one === 0) heirs.add(two as number);
    }
    assert.deepEqual([...heirs].sort(), [1, 2, 3, 4]);
  });
});

test('a topology has a version, shards, and what was before', () => {
  assert.equal(isTopology({ version: 1, shards: 3, before: 0 }), true);
  for (const bad of [
    null,
    {},
    { version: 0, shards: 3, before: 0 },
    { version: 1, shards: 0, before: 0 },
    { version: 1.5, shards: 3, before: 0 },
    { version: 1, shards: 70_000, before: 0 },
    { version: 1, shards: 3 },
    { version: Number.NaN, shards: Number.NaN, before: Number.NaN },
  ])
    assert.equal(isTopology(bad), false, JSON.stringify(bad));
});
