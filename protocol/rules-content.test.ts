import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from './json.ts';
import { readManifest } from './manifest.ts';
import { type PredefinedType, readContent } from './rules-content.ts';

const ID = 'ab'.repeat(32);
const result = readManifest(
  toJson({
    enc_v: 2,
    RBAC: {
      states: ['A'],
      traits: ['t(1)'],
      moves: [
        {
          event: 'Move',
          from: 'OUTSIDER',
          to: 'A',
          operator: 'Public',
          ops: ['C'],
          alias: 'g',
          gate: { operator: ['Public'] },
        },
        { event: 'Move', from: 'A', to: 'OUTSIDER', operator: 'Public', ops: ['C'], alias: 'ungated' },
      ],
    },
  }),
);
assert.ok(result.ok);
const { manifest } = result;
const read = (type: PredefinedType, content: unknown) => readContent(manifest, type, toJson(content));
const bad = (type: PredefinedType, ...contents: unknown[]) => {
  for (const content of contents)
    assert.deepEqual(read(type, content), { ok: false }, `${type} ${JSON.stringify(content)}`);
};
const fits = (type: PredefinedType, content: unknown, expected: object) =>
  assert.deepEqual(read(type, content), { ok: true, content: { type, ...expected } });

test('Move names an identity and two declared states', () => {
  const move = { target: ID, from: 'OUTSIDER', to: 'A' };
  bad(
    'Move',
    null,
    [],
    'x',
    {},
    { ...move, target: ID.toUpperCase() },
    { ...move, from: 'B' },
    { ...move, to: 1 },
    { target: ID, from: 'A' },
  );
  fits('Move', { ...move, more: [1] }, { target: ID, from: 0, to: 1 });
});

test('Grant, Revoke and Transfer name an identity and a declared trait', () => {
  for (const type of ['Grant', 'Revoke', 'Transfer'] as const) {
    bad(
      type,
      {},
      { target: ID },
      { target: 'ab', trait: 't' },
      { target: ID, trait: 't(1)' },
      { target: ID, trait: 'u' },
    );
    fits(type, { target: ID, trait: 't', more: 1 }, { target: ID, trait: 0 });
  }
  bad(
    'Grant',
    { target: ID, trait: 't', endpoint: 1 },
    { target: ID, trait: 't', endpoint: '' },
    { target: ID, trait: 't', endpoint: 'x'.repeat(2049) },
  );
  fits('Grant', { target: ID, trait: 't', endpoint: 'https://a.example' }, { target: ID, trait: 0 });
  fits('Transfer', { target: ID, trait: 't', endpoint: 1 }, { target: ID, trait: 0 });
});

test('Gate names an alias that has a gate', () => {
  bad(
    'Gate',
    {},
    { alias: 'g' },
    { alias: 'g', open: 1 },
    { alias: 'ungated', open: true },
    { alias: 'h', open: true },
  );
  fits('Gate', { alias: 'g', open: false }, { alias: 'g', open: false });
});

test('AC_Bundle holds 1–64 access ops, and names the first that does not fit', () => {
  const gate = { type: 'Gate', content: { alias: 'g', open: true } };
  bad('AC_Bundle', {}, { ops: {} }, { ops: [] }, { ops: Array.from({ length: 65 }, () => gate) });
  const at = (op: number, ...ops: unknown[]) => assert.deepEqual(read('AC_Bundle', { ops }), { ok: false, op });
  at(0, 1);
  at(1, gate, { type: 'AC_Bundle', content: { ops: [gate] } });
  at(1, gate, { type: 'Shared', content: { key: 'a', value: 1 } }, { type: 'Gate' });
  at(2, gate, gate, { type: 'Gate', content: { alias: 'h', open: true } });
  const full = read('AC_Bundle', { ops: Array.from({ length: 64 }, () => ({ ...gate, more: 1 })) });
  assert.ok(full.ok && full.content.type === 'AC_Bundle' && full.content.ops.length === 64);
});

test('Shared and Own carry a value, or delete: true, under a key of 1–256 bytes', () => {
  for (const type of ['Shared', 'Own'] as const) {
    bad(
      type,
      {},
      { key: 'a' },
      { key: '', value: 1 },
      { key: 1, value: 1 },
      { key: 'é'.repeat(129), value: 1 },
      { value: 1 },
    );
    bad(
      type,
      { key: 'a', delete: false },
      { key: 'a', delete: null },
      { key: 'a', value: 1, delete: true },
      { key: 'a', value: 1, delete: false },
    );
    fits(type, { key: 'é'.repeat(128), value: null }, { key: 'é'.repeat(128), delete: false });
    fits(type, { key: 'a', delete: true, more: 1 }, { key: 'a', delete: true });
  }
});

test('Update and Delete name an event; an Update brings content', () => {
  bad('Update', {}, { target: ID }, { target: 'ab', content: 1 }, { content: 1 });
  bad('Delete', {}, { target: ID.slice(1) }, { target: 1 });
  fits('Update', { target: ID, content: null }, { target: ID });
  fits('Delete', { target: ID, content: 1 }, { target: ID });
});

test('lifecycle events take any object, Migrate its three fields', () => {
  for (const type of ['Pause', 'Resume', 'Terminate'] as const) {
    bad(type, null, [], '', 0);
    fits(type, { reason: 1 }, {});
  }
  const migrate = { new_sequencer: ID, prev_seq: 0, ct_root: ID };
  bad(
    'Migrate',
    {},
    { ...migrate, new_sequencer: 1 },
    { ...migrate, prev_seq: -1 },
    { ...migrate, prev_seq: '0' },
    { ...migrate, ct_root: 'x' },
  );
  fits('Migrate', { ...migrate, more: 1 }, { newSequencer: ID, prevSeq: 0, ctRoot: ID });
});
