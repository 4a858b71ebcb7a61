import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from './json.ts';
import { readManifest } from './manifest.ts';
import {
  mayRead,
  mayReadAnything,
  mayReadWithTarget,
  type Readable,
  type Reader,
  readsEverything,
} from './read-rules.ts';

const A = 1;
const T = 0x100;

function rules(rbac: Record<string, unknown>) {
  const moves = [
    { event: 'Move', from: 'OUTSIDER', to: 'A', operator: 'Public', ops: ['C'] },
    { event: 'Move', from: 'A', to: 'OUTSIDER', operator: 'Public', ops: ['C'] },
  ];
  const result = readManifest(toJson({ enc_v: 2, RBAC: { states: ['A'], traits: ['t(1)'], moves, ...rbac } }));
  assert.ok(result.ok, result.ok ? '' : result.path);
  return result.manifest;
}

const reader = (bits: number, marks: Record<number, number> = {}, open = false): Reader => ({
  bits,
  mark: (column) => marks[column] ?? -1,
  gateOpen: () => open,
});
const event = (type: string, more: Partial<Readable> = {}): Readable => ({
  type,
  seq: 10,
  self: false,
  sender: false,
  ...more,
});

test('a readers row covers the types it names for those who hold its column', () => {
  const m = rules({
    readers: [
      { type: 'A', reads: ['M', 'Move'] },
      { type: 't', reads: '*' },
      { type: 'OUTSIDER', reads: ['Open'] },
    ],
  });
  assert.ok(mayRead(m, reader(A), event('M')));
  assert.ok(!mayRead(m, reader(A), event('N')));
  assert.ok(!mayRead(m, reader(0), event('M')));
  assert.ok(mayRead(m, reader(T), event('N')));
  assert.ok(mayRead(m, reader(0), event('Open')));
  assert.ok(!mayRead(m, reader(A), event('Open')));
});

test('a row’s R allows, and a row’s _R denies whatever else allows', () => {
  const m = rules({
    readers: [{ type: 'Public', reads: '*' }],
    customs: [
      { event: 'M', operator: 't', ops: ['_R'] },
      { event: 'N', operator: 'Sender', ops: ['_R'] },
    ],
  });
  assert.ok(mayRead(m, reader(0), event('M')));
  assert.ok(!mayRead(m, reader(T), event('M')));
  assert.ok(!mayRead(m, reader(0), event('N', { sender: true })));
  const only = rules({ customs: [{ event: 'M', operator: 'A', ops: ['R'] }] });
  assert.ok(mayRead(only, reader(A), event('M')));
  assert.ok(!mayRead(only, reader(A), event('N')));
});

test('Self holds for the targets of access events only, Sender for authors', () => {
  const m = rules({
    readers: [
      { type: 'Self', reads: '*' },
      { type: 'Sender', reads: ['M'] },
    ],
  });
  for (const type of ['Move', 'Grant', 'Revoke', 'Transfer']) {
    assert.ok(mayRead(m, reader(0), event(type, { self: true })));
    assert.ok(!mayRead(m, reader(0), event(type)));
  }
  assert.ok(!mayRead(m, reader(0), event('Delete', { self: true })));
  assert.ok(!mayRead(m, reader(0), event('AC_Bundle', { self: true })));
  assert.ok(mayRead(m, reader(0), event('M', { sender: true })));
  assert.ok(!mayRead(m, reader(0), event('N', { sender: true })));
});

test('slots are read by key', () => {
  const m = rules({
    slots: [
      { event: 'Shared', operator: 'Public', ops: ['R'], key: 'a*' },
      { event: 'Shared', operator: 'Public', ops: ['_R'], key: 'ab' },
    ],
  });
  assert.ok(mayRead(m, reader(0), event('Shared', { key: 'aa' })));
  assert.ok(!mayRead(m, reader(0), event('Shared', { key: 'ab' })));
  assert.ok(!mayRead(m, reader(0), event('Shared', { key: 'b' })));
  assert.ok(!mayRead(m, reader(0), event('Own', { key: 'aa' })));
});

test('retention: a mark reads up to its seq by its own row, unless denied', () => {
  const m = rules({
    readers: [
      { type: 'A', reads: ['M', 'N'], retention: 'snapshot' },
      { type: 't', reads: ['M'] },
    ],
    customs: [{ event: 'N', operator: 't', ops: ['_R'] }],
  });
  assert.ok(mayRead(m, reader(0, { 1: 10 }), event('M')));
  assert.ok(!mayRead(m, reader(0, { 1: 9 }), event('M')));
  assert.ok(!mayRead(m, reader(0, { 1: 10 }), event('X')));
  assert.ok(!mayRead(m, reader(0, { 256: 10 }), event('M')));
  assert.ok(!mayRead(m, reader(T, { 1: 10 }), event('N')));
  assert.ok(mayRead(m, reader(A, { 1: 3 }), event('M')));
});

test('an Update needs R on its own type and on its target’s, each at its own seq', () => {
  const m = rules({
    readers: [
      { type: 'Public', reads: ['Update'] },
      { type: 'A', reads: ['M'], retention: 'snapshot' },
    ],
  });
  const target = event('M', { seq: 5 });
  assert.ok(!mayReadWithTarget(m, reader(A), event('Update'), null));
  assert.ok(mayReadWithTarget(m, reader(A), event('Update'), target));
  assert.ok(!mayReadWithTarget(m, reader(0), event('Update'), target));
  assert.ok(mayReadWithTarget(m, reader(0, { 1: 5 }), event('Update'), target));
  assert.ok(!mayReadWithTarget(m, reader(A), event('Delete'), target));
});

test('a gated R needs the open gate, a denial does not', () => {
  const gate = { alias: 'g', gate: { operator: ['A'] } };
  const m = rules({
    customs: [
      { event: 'M', operator: 'Public', ops: ['R'], ...gate },
      { event: 'M', operator: 't', ops: ['_R'], alias: 'g' },
    ],
  });
  assert.ok(!mayRead(m, reader(0), event('M')));
  assert.ok(mayRead(m, reader(0, {}, true), event('M')));
  assert.ok(!mayRead(m, reader(T, {}, true), event('M')));
});

test('Pull goes by R or P', () => {
  const m = rules({
    customs: [
      { event: 'M', operator: 'A', ops: ['P'] },
      { event: 'M', operator: 't', ops: ['_P'] },
      { event: 'N', operator: 'A', ops: ['P', 'R', '_R'] },
    ],
  });
  assert.ok(!mayRead(m, reader(A), event('M')));
  assert.ok(mayRead(m, reader(A), event('M'), true));
  assert.ok(!mayRead(m, reader(A + T), event('M'), true));
  assert.ok(!mayRead(m, reader(A), event('N')));
  assert.ok(mayRead(m, reader(A), event('N'), true));
  assert.ok(!mayReadAnything(m, reader(A)));
  assert.ok(mayReadAnything(m, reader(A), true));
});

test('may read anything: some type, situation or key must be possible', () => {
  const can = (rbac: Record<string, unknown>, who = reader(0)) => mayReadAnything(rules(rbac), who);
  assert.ok(!can({}));
  assert.ok(can({ readers: [{ type: 'Self', reads: ['Grant'] }] }));
  assert.ok(
    !can({
      readers: [{ type: 'Self', reads: ['AC_Bundle', 'M'] }],
      customs: [{ event: 'M', operator: 'A', ops: ['C'] }],
    }),
  );
  assert.ok(can({ customs: [{ event: 'M', operator: 'Sender', ops: ['R'] }] }));
  assert.ok(
    !can({
      customs: [
        { event: 'M', operator: 'Sender', ops: ['R'] },
        { event: 'M', operator: 'Public', ops: ['_R'] },
      ],
    }),
  );
  assert.ok(!can({ readers: [{ type: 'Public', reads: ['Update', 'Delete', 'Unknown'] }] }));
  assert.ok(can({ readers: [{ type: 'A', reads: ['Move'], retention: 'snapshot' }] }, reader(0, { 1: 0 })));
  const slots = (...rows: [string, string[]][]) => ({
    slots: rows.map(([key, ops]) => ({ event: 'Own', operator: 'Public', ops, key })),
  });
  assert.ok(can(slots(['a', ['R']])));
  assert.ok(!can(slots(['a', ['R']], ['a*', ['_R']])));
  assert.ok(can(slots(['a*', ['R']], ['ab*', ['_R']], ['a', ['_R']])));
  assert.ok(!can({ readers: [{ type: 'Public', reads: ['Own'] }], ...slots(['*', ['_R']]) }));
  assert.ok(can({ readers: [{ type: 'Public', reads: ['Own'] }], ...slots(['a*', ['_R']]) }));
});

test('reads everything: every type, every key, no denial that could ever hit', () => {
  const all = { readers: [{ type: 'A', reads: '*' }] };
  assert.ok(readsEverything(rules(all), reader(A)));
  assert.ok(!readsEverything(rules(all), reader(0)));
  assert.ok(
    !readsEverything(rules({ readers: [{ type: 'A', reads: '*', retention: 'snapshot' }] }), reader(0, { 1: 99 })),
  );
  assert.ok(!readsEverything(rules({ readers: [{ type: 'A', reads: ['Manifest'] }] }), reader(A)));
  assert.ok(!readsEverything(rules({ ...all, customs: [{ event: 'M', operator: 'Sender', ops: ['_R'] }] }), reader(A)));
  assert.ok(
    !readsEverything(rules({ ...all, slots: [{ event: 'Own', operator: 'A', ops: ['_R'], key: 'a' }] }), reader(A)),
  );
  assert.ok(readsEverything(rules({ ...all, customs: [{ event: 'M', operator: 't', ops: ['_R'] }] }), reader(A)));
});
