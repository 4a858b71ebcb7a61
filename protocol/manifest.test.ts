import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PUBLIC, SELF, TRAIT } from './columns.ts';
import { toJson } from './json.ts';
import { type Manifest, readManifest } from './manifest.ts';

const ID = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

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
      readers: [{ type: 'Public', reads: '*' }, { type: 'MEMBER', reads: ['Message', 'Move'], retention: 'snapshot' }],
      moves: [
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'Self', ops: ['C'], alias: 'join', gate: { operator: ['admin'], open: true } },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'admin', ops: ['C'] },
      ],
      grants: [{ event: 'Grant', operator: ['admin'], scope: ['MEMBER', 'OUTSIDER'], trait: ['mod'] }],
      transfers: [{ event: 'Transfer', operator: ['admin'], scope: ['MEMBER'], trait: ['admin'] }],
      slots: [{ event: 'Shared', operator: 'MEMBER', ops: ['C', '_U'], key: 'topic*' }],
      lifecycle: [{ event: 'Pause', operator: 'admin', ops: ['C'] }],
      customs: [{ event: 'Message', operator: 'MEMBER', ops: ['C', 'R', '_D'], alias: 'join' }],
      init: [{ identity: ID, state: 'OWNER', traits: ['admin'] }, { identity: OTHER, state: 'GUEST_1', traits: [] }],
    },
  };
}

/** The path of the fault after `change`, or null if the Manifest is good. */
function fault(change: (m: Any) => unknown): string | null {
  const manifest = base();
  const replaced = change(manifest);
  const result = readManifest(toJson(replaced === undefined || typeof replaced !== 'object' ? manifest : replaced), ID);
  return result.ok ? null : result.path;
}

function good(manifest: unknown): Manifest {
  const result = readManifest(toJson(manifest), ID);
  assert.ok(result.ok, result.ok ? '' : result.path);
  return result.manifest;
}

const shapes: [string, (m: Any) => unknown][] = [
  ['', () => []],
  ['/enc_v', (m) => { delete m.enc_v; }],
  ['/enc_v', (m) => { m.enc_v = 1; }],
  ['/enc_v', (m) => { m.enc_v = '2'; }],
  ['/nonce', (m) => { m.nonce = 1; }],
  ['/bundle', (m) => { m.bundle = []; }],
  ['/bundle/size', (m) => { m.bundle.size = 0; }],
  ['/bundle/size', (m) => { m.bundle.size = 4097; }],
  ['/bundle/timeout', (m) => { m.bundle.timeout = 99; }],
  ['/bundle/timeout', (m) => { m.bundle.timeout = 600_001; }],
  ['/bundle/more', (m) => { m.bundle.more = 1; }],
  ['/sequencer', (m) => { m.sequencer = ID.toUpperCase(); }],
  ['/RBAC', (m) => { delete m.RBAC; }],
  ['/RBAC', (m) => { m.RBAC = null; }],
  ['/a~1b~0c', (m) => { m['a/b~c'] = 1; }],
  ['/RBAC/State', (m) => { m.RBAC.State = []; m.RBAC.stat = []; }],
  ['/RBAC/states', (m) => { m.RBAC.states = {}; }],
  ['/RBAC/states', (m) => { m.RBAC.states = Array.from({ length: 256 }, (_, i) => `S${i}`); }],
  ['/RBAC/states/1', (m) => { m.RBAC.states[1] = 'member'; }],
  ['/RBAC/states/1', (m) => { m.RBAC.states[1] = 'A'.repeat(65); }],
  ['/RBAC/traits', (m) => { m.RBAC.traits = Array.from({ length: 25 }, (_, i) => `t${i}(1)`); }],
  ['/RBAC/traits/0', (m) => { m.RBAC.traits[0] = 'admin'; }],
  ['/RBAC/traits/0', (m) => { m.RBAC.traits[0] = 'admin(01)'; }],
  ['/RBAC/traits/0', (m) => { m.RBAC.traits[0] = 'admin(-1)'; }],
  ['/RBAC/traits/0', (m) => { m.RBAC.traits[0] = 'Admin(1)'; }],
  ['/RBAC/traits/0', (m) => { m.RBAC.traits[0] = 'admin(1000000000)'; }],
  ['/RBAC/readers', (m) => { m.RBAC.readers = Array.from({ length: 1025 }, () => ({ type: 'Public', reads: '*' })); }],
  ['/RBAC/readers/0', (m) => { m.RBAC.readers[0] = 'Public'; }],
  ['/RBAC/readers/0/type', (m) => { m.RBAC.readers[0].type = ['Public']; }],
  ['/RBAC/readers/0/reads', (m) => { m.RBAC.readers[0].reads = 'Message'; }],
  ['/RBAC/readers/0/reads/0', (m) => { m.RBAC.readers[0].reads = ['a b']; }],
  ['/RBAC/readers/0/retention', (m) => { m.RBAC.readers[0].retention = 'ever'; }],
  ['/RBAC/readers/0/x', (m) => { m.RBAC.readers[0].x = 1; }],
  ['/RBAC/moves/0/event', (m) => { m.RBAC.moves[0].event = 'Grant'; }],
  ['/RBAC/moves/0/from', (m) => { delete m.RBAC.moves[0].from; }],
  ['/RBAC/moves/0/operator', (m) => { m.RBAC.moves[0].operator = ['Self']; }],
  ['/RBAC/moves/0/ops', (m) => { m.RBAC.moves[0].ops = []; }],
  ['/RBAC/moves/0/ops', (m) => { m.RBAC.moves[0].ops = ['C', 'C']; }],
  ['/RBAC/moves/0/ops/0', (m) => { m.RBAC.moves[0].ops = ['_C']; }],
  ['/RBAC/moves/0/alias', (m) => { m.RBAC.moves[0].alias = ''; }],
  ['/RBAC/moves/0/gate/operator', (m) => { m.RBAC.moves[0].gate.operator = 'admin'; }],
  ['/RBAC/moves/0/gate/open', (m) => { m.RBAC.moves[0].gate.open = 1; }],
  ['/RBAC/moves/0/gate/x', (m) => { m.RBAC.moves[0].gate.x = 1; }],
  ['/RBAC/grants/0/event', (m) => { m.RBAC.grants[0].event = 'Move'; }],
  ['/RBAC/grants/0/operator', (m) => { m.RBAC.grants[0].operator = 'admin'; }],
  ['/RBAC/grants/0/ops', (m) => { m.RBAC.grants[0].ops = ['C']; }],
  ['/RBAC/transfers/0/scope', (m) => { delete m.RBAC.transfers[0].scope; }],
  ['/RBAC/slots/0/event', (m) => { m.RBAC.slots[0].event = 'Message'; }],
  ['/RBAC/slots/0/ops/1', (m) => { m.RBAC.slots[0].ops = ['C', 'X']; }],
  ['/RBAC/slots/0/key', (m) => { m.RBAC.slots[0].key = ''; }],
  ['/RBAC/slots/0/key', (m) => { m.RBAC.slots[0].key = 'é'.repeat(129); }],
  ['/RBAC/slots/0/gate', (m) => { m.RBAC.slots[0].gate = { operator: [] }; }],
  ['/RBAC/lifecycle/0/event', (m) => { m.RBAC.lifecycle[0].event = 'Stop'; }],
  ['/RBAC/lifecycle/0/ops', (m) => { m.RBAC.lifecycle[0].ops = 'C'; }],
  ['/RBAC/customs/0/event', (m) => { m.RBAC.customs[0].event = 'Lanes'; }],
  ['/RBAC/customs/0/event', (m) => { m.RBAC.customs[0].event = 'Manifest'; }],
  ['/RBAC/customs/0/event', (m) => { m.RBAC.customs[0].event = 'a/b'; }],
  ['/RBAC/init', (m) => { m.RBAC.init = Array.from({ length: 4097 }, () => ({})); }],
  ['/RBAC/init/0/identity', (m) => { m.RBAC.init[0].identity = 'ab'; }],
  ['/RBAC/init/0/traits', (m) => { delete m.RBAC.init[0].traits; }],
];

const names: [string, (m: Any) => unknown][] = [
  ['/RBAC/states/2', (m) => { m.RBAC.states[2] = 'OWNER'; }],
  ['/RBAC/states/2', (m) => { m.RBAC.states[2] = 'OUTSIDER'; }],
  ['/RBAC/traits/1', (m) => { m.RBAC.traits[1] = 'admin(3)'; }],
  ['/RBAC/readers/1/type', (m) => { m.RBAC.readers[1].type = 'public'; }],
  ['/RBAC/moves/0/from', (m) => { m.RBAC.moves[0].from = 'admin'; }],
  ['/RBAC/moves/1/to', (m) => { m.RBAC.moves[1].to = 'Public'; }],
  ['/RBAC/moves/0/operator', (m) => { m.RBAC.moves[0].operator = 'admin(0)'; }],
  ['/RBAC/moves/0/gate/operator/0', (m) => { m.RBAC.moves[0].gate.operator = ['nobody']; }],
  ['/RBAC/grants/0/operator/1', (m) => { m.RBAC.grants[0].operator = ['Self', 'x']; }],
  ['/RBAC/grants/0/scope/0', (m) => { m.RBAC.grants[0].scope = ['mod']; }],
  ['/RBAC/transfers/0/trait/0', (m) => { m.RBAC.transfers[0].trait = ['MEMBER']; }],
  ['/RBAC/slots/0/operator', (m) => { m.RBAC.slots[0].operator = 'X'; }],
  ['/RBAC/lifecycle/0/operator', (m) => { m.RBAC.lifecycle[0].operator = 'X'; }],
  ['/RBAC/customs/0/operator', (m) => { m.RBAC.customs[0].operator = 'X'; }],
  ['/RBAC/init/0/state', (m) => { m.RBAC.init[0].state = 'X'; }],
  ['/RBAC/init/0/traits/0', (m) => { m.RBAC.init[0].traits = ['x']; }],
  ['/RBAC/moves/1/alias', (m) => { m.RBAC.moves[1].gate = { operator: ['admin'] }; }],
  ['/RBAC/customs/0/gate', (m) => { m.RBAC.customs[0].gate = { operator: ['admin'], open: true }; }],
  ['/RBAC/moves/1/to', (m) => { m.RBAC.moves[1].to = 'MEMBER'; }],
  ['/RBAC/init/1/identity', (m) => { m.RBAC.init[1].identity = ID; }],
  ['/RBAC/init/0/traits/1', (m) => { m.RBAC.init[0].traits = ['admin', 'admin']; }],
  ['/RBAC/init/1/traits', (m) => { m.RBAC.init[1] = { identity: OTHER, state: 'OUTSIDER', traits: ['mod'] }; }],
  // In and Out
  ['/RBAC/states/2', (m) => { m.RBAC.init.pop(); }],
  ['/RBAC/states/1', (m) => { m.RBAC.moves.pop(); }],
  ['/RBAC/states/2', (m) => { m.RBAC.moves[1].to = 'GUEST_1'; }],
  ['/sequencer', (m) => { m.sequencer = OTHER; }],
];

test('a Manifest that breaks one rule is refused at the place of the fault', () => {
  assert.equal(fault(() => undefined), null);
  for (const [path, change] of [...shapes, ...names]) assert.equal(fault(change), path, `${path}: ${change}`);
});

test('of two faults the first in order is named: shapes, names, In and Out, sequencer', () => {
  const change = (...all: ((m: Any) => unknown)[]) => (m: Any) => { for (const each of all) each(m); };
  const shape = (m: Any) => { m.RBAC.init[1].traits = 1; };
  const name = (m: Any) => { m.RBAC.readers[0].type = 'X'; };
  const lateName = (m: Any) => { m.RBAC.init[1].identity = ID; };
  const inOut = (m: Any) => { m.RBAC.moves.pop(); };
  const sequencer = (m: Any) => { m.sequencer = OTHER; };
  assert.equal(fault(change(name, shape)), '/RBAC/init/1/traits');
  assert.equal(fault(change(inOut, lateName, name)), '/RBAC/readers/0/type');
  assert.equal(fault(change(inOut, lateName)), '/RBAC/init/1/identity');
  assert.equal(fault(change(inOut, sequencer)), '/RBAC/states/1');
  assert.equal(fault((m) => { m.x = 1; m.RBAC.states = 1; }), '/RBAC/states');
  assert.equal(fault((m) => { m.b = 1; m.a = 1; m['10'] = 1; m['9'] = 1; }), '/10');
});

test('what may be left out has its default, and names become numbers', () => {
  const small = good({ enc_v: 2, RBAC: {} });
  assert.deepEqual([small.size, small.timeout, small.sequencer, small.states, small.types], [256, 5000, undefined, ['OUTSIDER'], []]);
  const m = good(base());
  assert.deepEqual([m.size, m.timeout, m.sequencer], [8, 1000, ID]);
  assert.deepEqual(m.moves[0], { from: 0, to: 2, operators: [SELF], ops: 1, alias: 'join' });
  assert.deepEqual(m.grants.map(({ event, operators, scope, traits }) => [event, operators, scope, traits]), [
    ['Grant', [TRAIT], [2, 0], [1]],
    ['Transfer', [TRAIT], [2], [0]],
  ]);
  assert.deepEqual(m.slots[0], { event: 'Shared', operators: [2], ops: 1 | (4 << 8), key: 'topic', prefix: true });
  assert.deepEqual(m.customs[0], { event: 'Message', operators: [2], ops: 1 | 2 | (8 << 8), alias: 'join' });
  assert.deepEqual(m.gates.get('join'), { operators: [TRAIT], open: true });
  assert.deepEqual(m.init.map(({ bits }) => bits), [0x101, 3]);
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
  assert.equal(fault((m) => { m.RBAC.states.push('S'.repeat(64)); m.RBAC.init.push({ identity: 'ef'.repeat(32), state: 'S'.repeat(64), traits: [] }); }), null);
  const states = Array.from({ length: 255 }, (_, i) => `S${i}`);
  const traits = Array.from({ length: 24 }, (_, i) => `t${i}(999999999)`);
  const init = states.map((state, i) => ({ identity: i.toString(16).padStart(64, '0'), state, traits: traits.map((_, t) => `t${t}`) }));
  const m = good({ enc_v: 2, bundle: { size: 4096, timeout: 600_000 }, RBAC: { states, traits, init } });
  assert.equal(m.init[254]?.bits, 0xffffffff);
});
