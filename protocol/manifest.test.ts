import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PUBLIC, SELF, TRAIT } from './columns.ts';
import { toJson } from './json.ts';
import { type Manifest, readManifest } from './manifest.ts';

const ID = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

// biome-ignore lint/suspicious/noExplicitAny: a Manifest that a test takes apart
type Any = Record<string, any>;

function base(): Any {
  return {
    enc_v: 2,
    nonce: 'n',
    bundle: { size: 8, timeout: 1000 },
    sequencer: ID,
    meta: { any: [null, { thing: 1 }] },
    RBAC: {
      states: ['OWNER', 'MEMBER', 'GUEST_1'],
      traits: ['admin(0)', 'mod(12)'],
      readers: [
        { type: 'Public', reads: '*' },
        { type: 'MEMBER', reads: ['Message', 'Move'], retention: 'snapshot' },
      ],
      moves: [
        {
          event: 'Move',
          from: 'OUTSIDER',
          to: 'MEMBER',
          operator: 'Self',
          ops: ['C'],
          alias: 'join',
          gate: { operator: ['admin'], open: true },
        },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'admin', ops: ['C'] },
      ],
      grants: [{ event: 'Grant', operator: ['admin'], scope: ['MEMBER', 'OUTSIDER'], trait: ['mod'] }],
      transfers: [{ event: 'Transfer', operator: ['admin'], scope: ['MEMBER'], trait: ['admin'] }],
      slots: [{ event: 'Shared', operator: 'MEMBER', ops: ['C', '_U'], key: 'topic*' }],
      lifecycle: [{ event: 'Pause', operator: 'admin', ops: ['C'] }],
      customs: [{ event: 'Message', operator: 'MEMBER', ops: ['C', 'R', '_D'], alias: 'join' }],
      init: [
        { identity: ID, state: 'OWNER', traits: ['admin'] },
        { identity: OTHER, state: 'GUEST_1', traits: [] },
      ],
    },
  };
}

/** Removes the member. */
const GONE = Symbol('gone');
/** A place in the Manifest, what is put there, and where the fault is if it is not that place. */
type Change = readonly [place: string, value: unknown, fault?: string];

function put(manifest: Any, [place, value]: Change): void {
  const keys = place.split('/').slice(1);
  const last = keys.pop() ?? '';
  const parent = keys.reduce<Any>((at, key) => at[key], manifest);
  const name = last.replaceAll('~1', '/').replaceAll('~0', '~');
  if (value === GONE) delete parent[name];
  else parent[name] = value;
}

/** The path of the fault after these changes, or null if the Manifest is good. */
function fault(...changes: readonly Change[]): string | null {
  const manifest = base();
  for (const change of changes) put(manifest, change);
  const result = readManifest(toJson(manifest), ID);
  return result.ok ? null : result.path;
}

function good(manifest: unknown): Manifest {
  const result = readManifest(toJson(manifest), ID);
  assert.ok(result.ok, result.ok ? '' : result.path);
  return result.manifest;
}

const many = (count: number, row: (i: number) => unknown): unknown[] => Array.from({ length: count }, (_, i) => row(i));
const reader = { type: 'Public', reads: '*' };

const shapes: readonly Change[] = [
  ['/enc_v', GONE],
  ['/enc_v', 1],
  ['/enc_v', '2'],
  ['/nonce', 1],
  ['/bundle', []],
  ['/bundle/size', 0],
  ['/bundle/size', 4097],
  ['/bundle/timeout', 99],
  ['/bundle/timeout', 600_001],
  ['/bundle/more', 1],
  ['/sequencer', ID.toUpperCase()],
  ['/RBAC', GONE],
  ['/RBAC', null],
  ['/a~1b~0c', 1],
  ['/RBAC/State', []],
  ['/RBAC/states', {}],
  ['/RBAC/states', many(256, (i) => `S${i}`)],
  ['/RBAC/states/1', 'member'],
  ['/RBAC/states/1', 'A'.repeat(65)],
  ['/RBAC/traits', many(25, (i) => `t${i}(1)`)],
  ['/RBAC/traits/0', 'admin'],
  ['/RBAC/traits/0', 'admin(01)'],
  ['/RBAC/traits/0', 'admin(-1)'],
  ['/RBAC/traits/0', 'Admin(1)'],
  ['/RBAC/traits/0', 'admin(1000000000)'],
  ['/RBAC/readers', many(1025, () => reader)],
  ['/RBAC/readers/0', 'Public'],
  ['/RBAC/readers/0/type', ['Public']],
  ['/RBAC/readers/0/reads', 'Message'],
  ['/RBAC/readers/0/reads', ['a b'], '/RBAC/readers/0/reads/0'],
  ['/RBAC/readers/0/retention', 'ever'],
  ['/RBAC/readers/0/x', 1],
  ['/RBAC/moves/0/event', 'Grant'],
  ['/RBAC/moves/0/from', GONE],
  ['/RBAC/moves/0/operator', ['Self']],
  ['/RBAC/moves/0/ops', []],
  ['/RBAC/moves/0/ops', ['C', 'C']],
  ['/RBAC/moves/0/ops', ['_C'], '/RBAC/moves/0/ops/0'],
  ['/RBAC/moves/0/alias', ''],
  ['/RBAC/moves/0/gate/operator', 'admin'],
  ['/RBAC/moves/0/gate/open', 1],
  ['/RBAC/moves/0/gate/x', 1],
  ['/RBAC/grants/0/event', 'Move'],
  ['/RBAC/grants/0/operator', 'admin'],
  ['/RBAC/grants/0/ops', ['C']],
  ['/RBAC/transfers/0/scope', GONE],
  ['/RBAC/slots/0/event', 'Message'],
  ['/RBAC/slots/0/ops', ['C', 'X'], '/RBAC/slots/0/ops/1'],
  ['/RBAC/slots/0/key', ''],
  ['/RBAC/slots/0/key', 'é'.repeat(129)],
  ['/RBAC/slots/0/gate', { operator: [] }],
  ['/RBAC/lifecycle/0/event', 'Stop'],
  ['/RBAC/lifecycle/0/ops', 'C'],
  ['/RBAC/customs/0/event', 'Lanes'],
  ['/RBAC/customs/0/event', 'Manifest'],
  ['/RBAC/customs/0/event', 'a/b'],
  ['/RBAC/init', many(4097, () => ({}))],
  ['/RBAC/init/0/identity', 'ab'],
  ['/RBAC/init/0/traits', GONE],
];

const names: readonly Change[] = [
  ['/RBAC/states/2', 'OWNER'],
  ['/RBAC/states/2', 'OUTSIDER'],
  ['/RBAC/traits/1', 'admin(3)'],
  ['/RBAC/readers/1/type', 'public'],
  ['/RBAC/moves/0/from', 'admin'],
  ['/RBAC/moves/1/to', 'Public'],
  ['/RBAC/moves/0/operator', 'admin(0)'],
  ['/RBAC/moves/0/gate/operator', ['nobody'], '/RBAC/moves/0/gate/operator/0'],
  ['/RBAC/grants/0/operator', ['Self', 'x'], '/RBAC/grants/0/operator/1'],
  ['/RBAC/grants/0/scope', ['mod'], '/RBAC/grants/0/scope/0'],
  ['/RBAC/transfers/0/trait', ['MEMBER'], '/RBAC/transfers/0/trait/0'],
  ['/RBAC/slots/0/operator', 'X'],
  ['/RBAC/lifecycle/0/operator', 'X'],
  ['/RBAC/customs/0/operator', 'X'],
  ['/RBAC/init/0/state', 'X'],
  ['/RBAC/init/0/traits', ['x'], '/RBAC/init/0/traits/0'],
  ['/RBAC/moves/1/gate', { operator: ['admin'] }, '/RBAC/moves/1/alias'],
  ['/RBAC/customs/0/gate', { operator: ['admin'], open: true }],
  ['/RBAC/moves/1/to', 'MEMBER'],
  ['/RBAC/init/1/identity', ID],
  ['/RBAC/init/0/traits', ['admin', 'admin'], '/RBAC/init/0/traits/1'],
  ['/RBAC/init/1', { identity: OTHER, state: 'OUTSIDER', traits: ['mod'] }, '/RBAC/init/1/traits'],
  // In and Out
  ['/RBAC/init', [{ identity: ID, state: 'OWNER', traits: ['admin'] }], '/RBAC/states/2'],
  ['/RBAC/moves/1/from', 'OUTSIDER', '/RBAC/moves/1/to'],
  ['/RBAC/moves/1/to', 'GUEST_1', '/RBAC/states/2'],
  ['/sequencer', OTHER],
];

test('a Manifest that breaks one rule is refused at the place of the fault', () => {
  assert.equal(fault(), null);
  for (const change of [...shapes, ...names])
    assert.equal(fault(change), change[2] ?? change[0], JSON.stringify(change));
  for (const content of [null, [], 'x', 2]) assert.deepEqual(readManifest(content), { ok: false, path: '' });
});

test('of two faults the first in order is named: shapes, names, In and Out, sequencer', () => {
  const shape: Change = ['/RBAC/init/1/traits', 1];
  const name: Change = ['/RBAC/readers/0/type', 'X'];
  const lateName: Change = ['/RBAC/init/1/identity', ID];
  const inOut: Change = ['/RBAC/moves', []];
  const sequencer: Change = ['/sequencer', OTHER];
  assert.equal(fault(name, shape), '/RBAC/init/1/traits');
  assert.equal(fault(inOut, lateName, name), '/RBAC/readers/0/type');
  assert.equal(fault(inOut, lateName), '/RBAC/init/1/identity');
  assert.equal(fault(inOut, sequencer), '/RBAC/states/1');
  assert.equal(fault(['/x', 1], ['/RBAC/states', 1]), '/RBAC/states');
  assert.equal(fault(['/b', 1], ['/a', 1], ['/10', 1], ['/9', 1]), '/10');
  assert.equal(fault(['/RBAC/stat', 1], ['/RBAC/State', 1]), '/RBAC/State');
});

test('what may be left out has its default, and names become numbers', () => {
  const small = good({ enc_v: 2, RBAC: {} });
  assert.deepEqual(
    [small.size, small.timeout, small.sequencer, small.states, small.types],
    [256, 5000, undefined, ['OUTSIDER'], []],
  );
  const m = good(base());
  assert.deepEqual([m.size, m.timeout, m.sequencer], [8, 1000, ID]);
  assert.deepEqual(m.moves[0], { from: 0, to: 2, operators: [SELF], ops: 1, alias: 'join' });
  assert.deepEqual(
    m.grants.map(({ event, operators, scope, traits }) => [event, operators, scope, traits]),
    [
      ['Grant', [TRAIT], [2, 0], [1]],
      ['Transfer', [TRAIT], [2], [0]],
    ],
  );
  assert.deepEqual(m.slots[0], { event: 'Shared', operators: [2], ops: 1 | (4 << 8), key: 'topic', prefix: true });
  assert.deepEqual(m.customs[0], { event: 'Message', operators: [2], ops: 1 | 2 | (8 << 8), alias: 'join' });
  assert.deepEqual(m.gates.get('join'), { operators: [TRAIT], open: true });
  assert.deepEqual(
    m.init.map(({ bits }) => bits),
    [0x101, 3],
  );
  assert.deepEqual(m.readers[0], { column: PUBLIC, reads: '*', snapshot: false });
  assert.deepEqual([...m.marked], [2]);
});

test('an alias without a gate gates nothing', () => {
  const manifest = base();
  delete manifest.RBAC.moves[0].gate;
  const m = good(manifest);
  assert.equal(m.moves[0]?.alias, undefined);
  assert.equal(m.gates.size, 0);
});

test('a state that only init reaches needs no way out; all limits can be used up', () => {
  const lonely = 'S'.repeat(64);
  const states = ['OWNER', 'MEMBER', 'GUEST_1', lonely];
  assert.equal(fault(['/RBAC/states', states]), '/RBAC/states/3');
  assert.equal(
    fault(['/RBAC/states', states], ['/RBAC/init/2', { identity: 'ef'.repeat(32), state: lonely, traits: [] }]),
    null,
  );
  const all = many(255, (i) => `S${i}`);
  const traits = many(24, (i) => `t${i}(999999999)`);
  const held = many(24, (i) => `t${i}`);
  const init = all.map((state, i) => ({ identity: i.toString(16).padStart(64, '0'), state, traits: held }));
  const m = good({ enc_v: 2, bundle: { size: 4096, timeout: 600_000 }, RBAC: { states: all, traits, init } });
  assert.equal(m.init[254]?.bits, 0xffffffff);
});
