import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP_D, OP_U } from './columns.ts';
import { toJson } from './json.ts';
import { readManifest } from './manifest.ts';
import { authorizeTarget } from './rules-target.ts';

const result = readManifest(
  toJson({
    enc_v: 2,
    RBAC: {
      traits: ['mod(1)'],
      customs: [
        { event: 'M', operator: 'Sender', ops: ['U'] },
        { event: 'M', operator: 'mod', ops: ['D'] },
        { event: 'G', operator: 'Public', ops: ['U'], alias: 'g', gate: { operator: ['mod'] } },
      ],
    },
  }),
);
assert.ok(result.ok);
const { manifest } = result;
const me = { id: 'a', bits: 0 };
const mod = { id: 'b', bits: 0x100 };
const mine = { type: 'M', from: 'a' };

function ask(who: typeof me, op: typeof OP_U | typeof OP_D, target: typeof mine | null, deleted = false, open = false) {
  return authorizeTarget(manifest, who, op, target, deleted, () => open);
}

test('a target is a released event of a custom type', () => {
  assert.equal(ask(me, OP_U, null), 'event_not_found');
  for (const type of ['Move', 'Manifest', 'Update', 'Shared', 'Gone'])
    assert.equal(ask(me, OP_U, { type, from: 'a' }), 'event_not_found');
});

test('U and D are asked of the target’s type, with Sender for its author', () => {
  assert.equal(ask(me, OP_U, mine), null);
  assert.equal(ask(me, OP_D, mine), 'forbidden');
  assert.equal(ask(mod, OP_U, mine), 'forbidden');
  assert.equal(ask(mod, OP_D, mine), null);
});

test('deleted is told only to those who would be allowed, and a gate holds for updates too', () => {
  assert.equal(ask(me, OP_U, mine, true), 'deleted');
  assert.equal(ask(mod, OP_U, mine, true), 'forbidden');
  assert.equal(ask(me, OP_U, { type: 'G', from: 'c' }, true), 'gate_closed');
  assert.equal(ask(me, OP_U, { type: 'G', from: 'c' }, true, true), 'deleted');
  assert.equal(ask(me, OP_U, { type: 'G', from: 'c' }, false, true), null);
});
