import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { contextHash } from './context-hash.ts';

const folder = mkdtempSync(join(tmpdir(), 'enc-context-'));
after(() => rmSync(folder, { recursive: true }));
const dockerfile = join(folder, 'Dockerfile');
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const hash = (): string => contextHash(folder, dockerfile);

mkdirSync(join(folder, 'shard'));
mkdirSync(join(folder, 'docs'));
write('Dockerfile', 'FROM scratch\n');
write('.dockerignore', '*\n!shard\n!package.json\n');
write('package.json', '{}');
write('shard/main.ts', 'a');
write('docs/page.md', 'a');

for (const [name, changes] of [
  ['Dockerfile', true],
  ['.dockerignore', true],
  ['package.json', true],
  ['shard/main.ts', true],
  ['shard/new.ts', true],
  ['docs/page.md', false],
] as const) {
  test(`${name} ${changes ? 'is' : 'is no'} part of what an image is built of`, () => {
    const before = hash();
    assert.equal(hash(), before);
    write(name, name === '.dockerignore' ? '*\n!shard\n!package.json\n#\n' : 'changed');
    assert.equal(hash() !== before, changes);
  });
}
