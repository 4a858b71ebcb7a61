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

test('every room that a role needs is let into the image', () => {
  const rooms = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    rooms.add(path.slice(0, path.indexOf('/')));
    for (const [, to = ''] of root(path).matchAll(/(?:from|import\()\s*'(\.[^']+\.(?:ts|mjs))'/g))
      visit(new URL(to, new URL(path, 'file:///')).pathname.slice(1));
  };
  for (const role of ['shard/main.ts', 'router/main.ts', 'cli/main.ts', 'deploy/image/health.ts']) visit(role);
  const admitted = new Set(root('.dockerignore').match(/(?<=^!)\w+$/gm));
  assert.deepEqual(
    [...rooms].filter((room) => !admitted.has(room)),
    [],
  );
  assert.ok(rooms.has('protocol') && rooms.has('kernel'));
});
