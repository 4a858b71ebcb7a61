import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const dockerfile = root('Dockerfile');
const defaults = (name: string): string[] =>
  [...dockerfile.matchAll(new RegExp(`^ARG ${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

test('the Dockerfile names the version of package.json', () => {
  const { version } = JSON.parse(root('package.json')) as { version: string };
  assert.deepEqual(new Set(defaults('VERSION')), new Set([version]));
});

test('the Dockerfile names the sha256 of the pinned kernel', () => {
  const [pin] = root('kernel/enc-core.sha256').split(' ');
  assert.deepEqual(new Set(defaults('KERNEL_SHA256')), new Set([pin]));
});
