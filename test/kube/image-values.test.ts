import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageValues } from './image-values.ts';

for (const [image, values] of [
  ['enc-node:1.2', 'image.repository=enc-node image.tag=1.2'],
  ['enc-node', 'image.repository=enc-node image.tag=latest'],
  ['registry:5000/team/enc-node', 'image.repository=registry:5000/team/enc-node image.tag=latest'],
  ['registry:5000/team/enc-node:1', 'image.repository=registry:5000/team/enc-node image.tag=1'],
  ['enc-node@sha256:ab', 'image.repository=enc-node image.digest=sha256:ab'],
] as const) {
  test(`${image} as values of the chart`, () => {
    const set = imageValues('image', image).filter((word) => !word.startsWith('--'));
    assert.equal(set.join(' '), values);
  });
}
