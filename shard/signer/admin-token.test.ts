import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { openAdminToken } from './admin-token.ts';

const root = mkdtempSync(join(tmpdir(), 'enc-token-'));
after(() => rmSync(root, { recursive: true, force: true }));

test('a token file that is empty or readable by others is refused', () => {
  const dir = join(root, 'bad');
  openAdminToken(dir, null);
  const path = join(dir, 'admin-token');
  writeFileSync(path, '\n');
  assert.throws(() => openAdminToken(dir, null), /holds no token: delete it/);
  chmodSync(path, 0o644);
  assert.throws(() => openAdminToken(dir, null), /run chmod 600/);
});

test('a token is generated once, kept 0600, and not shown when printed', () => {
  const dir = join(root, 'made');
  const token = openAdminToken(dir, null);
  const text = readFileSync(token.file as string, 'utf8').trim();
  assert.equal(statSync(token.file as string).mode & 0o777, 0o600);
  assert.match(text, /^[0-9a-f]{64}$/);
  for (const again of [token, openAdminToken(dir, null)]) {
    assert.equal(again.reveal(), text);
    assert.equal(inspect(again, { depth: 9, showHidden: true }).includes(text), false);
  }
});

test('a configured token is used and nothing is written', () => {
  const token = openAdminToken(join(root, 'none'), 'a configured token');
  assert.equal(token.reveal(), 'a configured token');
  assert.equal(token.file, null);
  assert.throws(() => statSync(join(root, 'none')), /ENOENT/);
});
