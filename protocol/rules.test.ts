import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP_C, OP_D, OP_R, OP_U, PUBLIC, SENDER, TRAIT } from './columns.ts';
import { toJson } from './json.ts';
import { type Manifest, type Row, readManifest } from './manifest.ts';
import { authorizeCustom, decide, slotRows } from './rules.ts';

const member = { bits: 0x101, self: false, sender: false };
const open = () => true;
const shut = () => false;
const row = (column: number, ops: number, alias?: string): Row => ({
  operators: [column],
  ops,
  ...(alias === undefined ? {} : { alias }),
});

function manifest(rbac: Record<string, unknown>): Manifest {
  const result = readManifest(toJson({ enc_v: 2, RBAC: rbac }));
  assert.ok(result.ok, result.ok ? '' : result.path);
  return result.manifest;
}

test('an op needs a row with an active operator that lists it', () => {
  assert.equal(decide([], OP_C, member, open), 'forbidden');
  assert.equal(decide([row(1, OP_C)], OP_C, member, open), 'allowed');
  assert.equal(decide([row(2, OP_C)], OP_C, member, open), 'forbidden');
  assert.equal(decide([row(1, OP_U)], OP_C, member, open), 'forbidden');
  assert.equal(decide([row(TRAIT, OP_C)], OP_C, member, open), 'allowed');
  assert.equal(decide([row(TRAIT + 1, OP_C)], OP_C, member, open), 'forbidden');
  assert.equal(decide([row(PUBLIC, OP_C)], OP_C, { bits: 0, self: false, sender: false }, open), 'allowed');
  assert.equal(decide([row(0, OP_C)], OP_C, { bits: 0x100, self: false, sender: false }, open), 'allowed');
  assert.equal(decide([row(SENDER, OP_D)], OP_D, { ...member, sender: true }, open), 'allowed');
  assert.equal(decide([row(SENDER, OP_D)], OP_D, member, open), 'forbidden');
});

test('deny wins, in any order, of the same op only, and for active operators only', () => {
  const deny = row(PUBLIC, OP_C << 8);
  const allow = row(1, OP_C);
  assert.equal(decide([allow, deny], OP_C, member, open), 'forbidden');
  assert.equal(decide([deny, allow], OP_C, member, open), 'forbidden');
  assert.equal(decide([row(1, OP_C | (OP_R << 8))], OP_C, member, open), 'allowed');
  assert.equal(decide([row(1, OP_C | (OP_C << 8))], OP_C, member, open), 'forbidden');
  assert.equal(decide([allow, row(2, OP_C << 8)], OP_C, member, open), 'allowed');
});

test('a closed gate is named only if it alone prevents the op; denials ignore gates', () => {
  const gated = row(1, OP_C, 'g');
  assert.equal(decide([gated], OP_C, member, open), 'allowed');
  assert.equal(decide([gated], OP_C, member, shut), 'gate_closed');
  assert.equal(decide([gated, row(1, OP_C)], OP_C, member, shut), 'allowed');
  assert.equal(decide([row(1, OP_C), gated], OP_C, member, shut), 'allowed');
  assert.equal(decide([gated, row(1, OP_C << 8)], OP_C, member, shut), 'forbidden');
  assert.equal(decide([row(1, OP_C), row(1, OP_C << 8, 'g')], OP_C, member, shut), 'forbidden');
  assert.equal(decide([row(2, OP_C, 'g')], OP_C, member, shut), 'forbidden');
});

test('custom events are made by those their rows name, never by Sender', () => {
  const m = manifest({
    customs: [
      { event: 'A', operator: 'Public', ops: ['C'] },
      { event: 'B', operator: 'Sender', ops: ['C'] },
      { event: 'B', operator: 'Self', ops: ['C'] },
    ],
  });
  assert.equal(authorizeCustom(m, 0, 'A', open), null);
  assert.equal(authorizeCustom(m, 0, 'B', open), 'forbidden');
  assert.equal(authorizeCustom(m, 0, 'C', open), 'forbidden');
});

test('slot keys match exactly, or by prefix in bytes', () => {
  const keys = ['a', 'a*', '*', 'é*', 'b'];
  const m = manifest({ slots: keys.map((key) => ({ event: 'Shared', operator: 'Public', ops: ['C'], key })) });
  const matching = (key: string, prefix = false) =>
    slotRows(m, 'Shared', key, prefix).map((r) => keys[m.slots.indexOf(r)]);
  assert.deepEqual(matching('a'), ['a', 'a*', '*']);
  assert.deepEqual(matching('ab'), ['a*', '*']);
  assert.deepEqual(matching('b*'), ['*']);
  assert.deepEqual(matching('éa'), ['*', 'é*']);
  assert.deepEqual(matching('a', true), ['a*', '*']);
  assert.deepEqual(matching('', true), ['*']);
  assert.deepEqual(slotRows(m, 'Own', 'a'), []);
});
