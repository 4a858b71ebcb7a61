import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from './json.ts';
import { readManifest } from './manifest.ts';
import { authorizeSlot } from './rules-slots.ts';

function rules(slots: Record<string, unknown>[]) {
  const result = readManifest(toJson({ enc_v: 2, RBAC: { traits: ['t(1)'], slots } }));
  assert.ok(result.ok);
  const { manifest } = result;
  return (type: 'Shared' | 'Own', key: string, what: 'set' | 'delete', present: boolean, bits = 0) =>
    authorizeSlot(manifest, bits, { type, key, delete: what === 'delete' }, present);
}

test('creating needs C, replacing U, deleting D, each on this key', () => {
  const ask = rules([
    { event: 'Shared', operator: 'Public', ops: ['C'], key: 'c' },
    { event: 'Shared', operator: 't', ops: ['U'], key: 'c' },
    { event: 'Shared', operator: 'Public', ops: ['D'], key: 'd' },
  ]);
  assert.equal(ask('Shared', 'c', 'set', false), null);
  assert.equal(ask('Shared', 'c', 'set', true), 'forbidden');
  assert.equal(ask('Shared', 'c', 'set', true, 0x100), null);
  assert.equal(ask('Shared', 'c', 'delete', true), 'forbidden');
  assert.equal(ask('Shared', 'd', 'delete', true), null);
  assert.equal(ask('Shared', 'd', 'delete', false), 'no_change');
  assert.equal(ask('Shared', 'c', 'delete', false), 'forbidden');
  assert.equal(ask('Shared', 'x', 'set', false), 'forbidden');
  assert.equal(ask('Own', 'c', 'set', false), 'forbidden');
});

test('a denial on a prefix wins over a right on a key', () => {
  const ask = rules([
    { event: 'Own', operator: 'Public', ops: ['C', 'U'], key: 'a.b' },
    { event: 'Own', operator: 't', ops: ['_U'], key: 'a*' },
  ]);
  assert.equal(ask('Own', 'a.b', 'set', true), null);
  assert.equal(ask('Own', 'a.b', 'set', true, 0x100), 'forbidden');
  assert.equal(ask('Own', 'a.b', 'set', false, 0x100), null);
});

test('Sender changes and deletes what is its own, and creates nothing', () => {
  const row = { operator: 'Sender', ops: ['C', 'U', 'D'], key: '*' };
  const ask = rules([
    { event: 'Own', ...row },
    { event: 'Shared', ...row },
  ]);
  assert.equal(ask('Own', 'a', 'set', false), 'forbidden');
  assert.equal(ask('Own', 'a', 'set', true), null);
  assert.equal(ask('Own', 'a', 'delete', true), null);
  assert.equal(ask('Own', 'a', 'delete', false), 'no_change');
  assert.equal(ask('Shared', 'a', 'set', true), 'forbidden');
  assert.equal(ask('Shared', 'a', 'delete', true), 'forbidden');
});
