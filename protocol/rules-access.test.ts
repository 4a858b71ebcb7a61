import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from './json.ts';
import { readManifest } from './manifest.ts';
import { type AccessState, applyAccess, applyAccessBundle, rankOf } from './rules-access.ts';
import type { AccessContent } from './rules-content.ts';

const OWNER = 1;
const MEMBER = 2;
const GUEST = 3;
const [ROOT, ADMIN, MOD, PLAIN] = [0, 1, 2, 3] as const;
const bit = (trait: number) => 2 ** (8 + trait);
const every = ['root', 'admin', 'mod', 'plain'];
const states = ['OUTSIDER', 'MEMBER', 'GUEST', 'OWNER'];

const result = readManifest(
  toJson({
    enc_v: 2,
    RBAC: {
      states: ['OWNER', 'MEMBER', 'GUEST'],
      traits: ['root(0)', 'admin(1)', 'mod(5)', 'plain(5)'],
      moves: [
        {
          event: 'Move',
          from: 'OUTSIDER',
          to: 'MEMBER',
          operator: 'Self',
          ops: ['C'],
          alias: 'join',
          gate: { operator: ['admin', 'Self', 'Sender'] },
        },
        { event: 'Move', from: 'OUTSIDER', to: 'GUEST', operator: 'Public', ops: ['C'] },
        { event: 'Move', from: 'GUEST', to: 'MEMBER', operator: 'MEMBER', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'GUEST', operator: 'MEMBER', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'GUEST', operator: 'OWNER', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'Public', ops: ['C'] },
        { event: 'Move', from: 'OWNER', to: 'OUTSIDER', operator: 'Public', ops: ['C'] },
      ],
      grants: [
        { event: 'Grant', operator: ['OWNER', 'MEMBER'], scope: states.slice(0, 2), trait: every },
        { event: 'Revoke', operator: ['OWNER', 'MEMBER', 'Sender'], scope: states, trait: every },
      ],
      transfers: [{ event: 'Transfer', operator: ['MEMBER', 'Self'], scope: ['MEMBER'], trait: every }],
      init: [{ identity: '00'.repeat(32), state: 'OWNER', traits: [] }],
    },
  }),
);
assert.ok(result.ok);
const { manifest } = result;

/** People by name; bits are changed by what is applied. */
function world(
  bits: Record<string, number>,
  open = false,
): AccessState & { readonly people: Record<string, number>; open: boolean } {
  return {
    people: { ...bits },
    open,
    bits(id) {
      return this.people[id] ?? 0;
    },
    gateOpen() {
      return this.open;
    },
    setBits(id, value) {
      this.people[id] = value;
    },
    setGate(_, value) {
      this.open = value;
    },
  };
}

const move = (target: string, from: number, to: number): AccessContent => ({ type: 'Move', target, from, to });
const grant = (target: string, trait: number): AccessContent => ({ type: 'Grant', target, trait });
const revoke = (target: string, trait: number): AccessContent => ({ type: 'Revoke', target, trait });
const transfer = (target: string, trait: number): AccessContent => ({ type: 'Transfer', target, trait });

function outcome(
  bits: Record<string, number>,
  sender: string,
  content: AccessContent,
  open = false,
): string | Record<string, number> {
  const state = world(bits, open);
  return applyAccess(manifest, state, sender, content) ?? state.people;
}

test('rank: OWNER is −1, then the lowest trait, else infinite', () => {
  assert.equal(rankOf(manifest, OWNER + bit(MOD)), -1);
  assert.equal(rankOf(manifest, MEMBER + bit(MOD) + bit(ADMIN)), 1);
  assert.equal(rankOf(manifest, MEMBER), Number.POSITIVE_INFINITY);
});

test('Move: a row, an open gate, the state it names, rank, in this order', () => {
  assert.equal(outcome({ a: MEMBER }, 'a', move('b', MEMBER, OWNER)), 'forbidden');
  assert.equal(outcome({}, 'a', move('b', 0, MEMBER)), 'forbidden');
  assert.equal(outcome({}, 'a', move('a', 0, MEMBER)), 'gate_closed');
  assert.equal(outcome({ a: GUEST }, 'a', move('a', 0, MEMBER)), 'gate_closed');
  assert.equal(outcome({ a: GUEST }, 'a', move('a', 0, MEMBER), true), 'state_mismatch');
  assert.deepEqual(outcome({}, 'a', move('a', 0, MEMBER), true), { a: MEMBER });
  assert.deepEqual(outcome({ a: bit(MOD) }, 'a', move('a', 0, MEMBER), true), { a: MEMBER + bit(MOD) });
  assert.equal(outcome({ a: MEMBER, b: GUEST + bit(ROOT) }, 'a', move('b', MEMBER, GUEST)), 'state_mismatch');
  assert.equal(outcome({ a: MEMBER, b: MEMBER + bit(MOD) }, 'a', move('b', MEMBER, GUEST)), 'rank');
  assert.equal(outcome({ a: MEMBER + bit(MOD), b: MEMBER + bit(PLAIN) }, 'a', move('b', MEMBER, GUEST)), 'rank');
  assert.deepEqual(outcome({ a: MEMBER + bit(ADMIN), b: MEMBER + bit(MOD) }, 'a', move('b', MEMBER, GUEST)), {
    a: MEMBER + bit(ADMIN),
    b: GUEST + bit(MOD),
  });
  assert.deepEqual(outcome({ a: MEMBER, b: MEMBER }, 'a', move('b', MEMBER, GUEST)), { a: MEMBER, b: GUEST });
  assert.deepEqual(outcome({ a: OWNER, b: MEMBER + bit(ROOT) }, 'a', move('b', MEMBER, GUEST)), {
    a: OWNER,
    b: GUEST + bit(ROOT),
  });
  assert.equal(outcome({ a: MEMBER + bit(ROOT), b: OWNER }, 'a', move('b', OWNER, 0)), 'rank');
  assert.equal(outcome({ a: OWNER, b: OWNER }, 'a', move('b', OWNER, 0)), 'rank');
});

test('leaving clears all traits; a holder of a rank-0 trait cannot leave', () => {
  assert.deepEqual(outcome({ a: MEMBER + bit(ADMIN) + bit(MOD) }, 'a', move('a', MEMBER, 0)), { a: 0 });
  assert.equal(outcome({ a: MEMBER + bit(ROOT) }, 'a', move('a', MEMBER, 0)), 'owner_must_transfer');
  assert.equal(outcome({ a: MEMBER, b: MEMBER + bit(ROOT) }, 'a', move('b', MEMBER, 0)), 'rank');
});

test('Grant: row and scope, rank of the target, rank of the trait, change', () => {
  assert.equal(outcome({ a: GUEST, b: MEMBER }, 'a', grant('b', MOD)), 'forbidden');
  assert.equal(outcome({ a: MEMBER, b: GUEST }, 'a', grant('b', MOD)), 'forbidden');
  assert.equal(outcome({ a: MEMBER, b: MEMBER + bit(PLAIN) }, 'a', grant('b', MOD)), 'rank');
  assert.equal(outcome({ a: MEMBER, b: MEMBER }, 'a', grant('b', ROOT)), 'rank');
  assert.deepEqual(outcome({ a: MEMBER, b: MEMBER }, 'a', grant('b', ADMIN)), { a: MEMBER, b: MEMBER + bit(ADMIN) });
  assert.equal(outcome({ a: MEMBER + bit(ADMIN), b: MEMBER }, 'a', grant('b', ADMIN)), 'rank');
  assert.deepEqual(outcome({ a: MEMBER + bit(ADMIN) }, 'a', grant('b', MOD)), { a: MEMBER + bit(ADMIN), b: bit(MOD) });
  assert.equal(outcome({ a: MEMBER + bit(ADMIN), b: MEMBER + bit(MOD) }, 'a', grant('b', MOD)), 'no_change');
  assert.deepEqual(outcome({ a: OWNER, b: MEMBER }, 'a', grant('b', ROOT)), { a: OWNER, b: MEMBER + bit(ROOT) });
  assert.equal(outcome({ a: MEMBER + bit(MOD) }, 'a', grant('a', PLAIN)), 'rank');
  assert.equal(outcome({ a: MEMBER + bit(MOD) }, 'a', grant('a', MOD)), 'rank');
});

test('Revoke: as Grant, but one’s own trait always, and only what is held', () => {
  assert.equal(outcome({ a: GUEST, b: MEMBER }, 'a', revoke('b', MOD)), 'forbidden');
  assert.equal(outcome({ a: GUEST + bit(MOD) }, 'a', revoke('a', MOD)), 'forbidden');
  assert.equal(outcome({ a: MEMBER, b: MEMBER + bit(MOD) }, 'a', revoke('b', MOD)), 'rank');
  assert.deepEqual(outcome({ a: MEMBER + bit(ROOT) }, 'a', revoke('a', ROOT)), { a: MEMBER });
  assert.equal(outcome({ a: MEMBER }, 'a', revoke('a', ROOT)), 'no_change');
  assert.equal(outcome({ a: MEMBER + bit(ADMIN), b: MEMBER }, 'a', revoke('b', MOD)), 'no_change');
  assert.equal(outcome({ a: MEMBER + bit(ADMIN), b: MEMBER }, 'a', revoke('b', ROOT)), 'rank');
  assert.deepEqual(outcome({ a: OWNER, b: MEMBER + bit(ROOT) + bit(MOD) }, 'a', revoke('b', ROOT)), {
    a: OWNER,
    b: MEMBER + bit(MOD),
  });
});

test('Transfer: what one holds, to somebody else without it, whatever the ranks', () => {
  assert.equal(outcome({ a: GUEST + bit(MOD), b: MEMBER }, 'a', transfer('b', MOD)), 'forbidden');
  assert.equal(outcome({ a: MEMBER + bit(MOD), b: GUEST }, 'a', transfer('b', MOD)), 'forbidden');
  assert.equal(outcome({ a: MEMBER, b: MEMBER }, 'a', transfer('b', MOD)), 'forbidden');
  assert.equal(outcome({ a: MEMBER + bit(MOD) }, 'a', transfer('a', MOD)), 'no_change');
  assert.equal(outcome({ a: MEMBER + bit(MOD), b: MEMBER + bit(MOD) }, 'a', transfer('b', MOD)), 'no_change');
  assert.deepEqual(outcome({ a: MEMBER + bit(ROOT), b: MEMBER + bit(MOD) }, 'a', transfer('b', ROOT)), {
    a: MEMBER,
    b: MEMBER + bit(MOD) + bit(ROOT),
  });
});

test('Gate: its own operators only, and only a change', () => {
  const gate = (open: boolean): AccessContent => ({ type: 'Gate', alias: 'join', open });
  assert.equal(outcome({ a: OWNER }, 'a', gate(true)), 'forbidden');
  assert.equal(outcome({ a: bit(ADMIN) }, 'a', gate(false)), 'no_change');
  const state = world({ a: bit(ADMIN) });
  assert.equal(applyAccess(manifest, state, 'a', gate(true)), null);
  assert.equal(state.open, true);
});

test('AC_Bundle: each op sees what the ones before it did', () => {
  const ops = (...all: AccessContent[]) => ({ type: 'AC_Bundle' as const, ops: all });
  const state = world({ a: bit(ADMIN) });
  const gate = (open: boolean): AccessContent => ({ type: 'Gate', alias: 'join', open });
  assert.equal(
    applyAccessBundle(manifest, state, 'a', ops(gate(true), move('a', 0, MEMBER), gate(false), grant('b', MOD))),
    null,
  );
  assert.deepEqual([state.people, state.open], [{ a: MEMBER + bit(ADMIN), b: bit(MOD) }, false]);
  assert.deepEqual(
    applyAccessBundle(manifest, world({ a: bit(ADMIN) }), 'a', ops(gate(true), gate(false), move('a', 0, MEMBER))),
    { error: 'gate_closed', op: 2 },
  );
  const lost = ops(revoke('a', ADMIN), gate(true));
  assert.deepEqual(applyAccessBundle(manifest, world({ a: MEMBER + bit(ADMIN) }), 'a', lost), {
    error: 'forbidden',
    op: 1,
  });
});
