import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '../../protocol/errors.ts';
import { manifest, member, owner, reader, refused, stranger, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { founding, json, type Person, person, sign } from './people.ts';

/** PROTOCOL §1–§5, rule by rule: each is broken once, and what is refused leaves no trace. */
let node: TestNode;
let enclave: TestEnclave;
let other: TestEnclave;
let note = '';
let chat = '';
let gone = '';
const admin = person('an admin');
const mod = person('a mod');
const peer = person('another admin');

before(async () => {
  node = await TestNode.start();
  enclave = await TestEnclave.found(node, manifest({ bundle: { size: 4096, timeout: 600_000 } }));
  other = await TestEnclave.found(node);
  for (const [who, trait] of [
    [admin, 'admin'],
    [peer, 'admin'],
    [mod, 'mod'],
  ] as const) {
    await enclave.commit(owner, 'Move', { target: who.id, from: 'OUTSIDER', to: 'MEMBER' });
    await enclave.commit(owner, 'Grant', { target: who.id, trait });
  }
  note = (await enclave.commit(owner, 'note', { n: 1 })).id;
  chat = (await enclave.commit(member, 'chat', { n: 2 })).id;
  gone = (await enclave.commit(owner, 'note', 'gone')).id;
  await enclave.commit(owner, 'Delete', { target: gone });
  await enclave.commit(owner, 'Shared', { key: 'topic', value: null });
});
after(() => node[Symbol.asyncDispose]());

/** The state as it is now: an event that does not touch it, and a proof against the bundle that it closes. */
async function stateHash(): Promise<string> {
  await enclave.commit(owner, 'note', 'neutral');
  await enclave.closeBundle();
  const answer = await enclave.call('/state', owner, { namespace: 'rbac', key: owner.id });
  return (JSON.parse(answer.body) as { state_hash: string }).state_hash;
}

/** Runs `attempt`, which must leave everything that can be seen of the enclave as it was. */
async function tracelessly(attempt: () => Promise<void>): Promise<void> {
  const state = await stateHash();
  const trace = await enclave.trace();
  await attempt();
  assert.equal(await enclave.trace(), trace, 'something of it is visible');
  assert.equal(await stateHash(), state, 'the state has changed');
}

describe('§1, §3: the shape of a commit', () => {
  const good = (): Record<string, unknown> =>
    JSON.parse(json(enclave.sign(member, 'chat', { n: 1 }, { tags: [['a', 'b']] }))) as Record<string, unknown>;
  const changes: [string, (commit: Record<string, unknown>) => void, ErrorCode][] = [
    ...['hash', 'enclave', 'from', 'type', 'content', 'sig'].map(
      (field): [string, (c: Record<string, unknown>) => void, ErrorCode] => [
        `${field} is missing`,
        (c) => delete c[field],
        'invalid_commit',
      ],
    ),
    ...['hash', 'enclave', 'from', 'sig'].flatMap(
      (field): [string, (c: Record<string, unknown>) => void, ErrorCode][] => [
        [`${field} in upper case`, (c) => (c[field] = 'AB'.repeat(field === 'sig' ? 64 : 32)), 'invalid_commit'],
        [`${field} too short`, (c) => (c[field] = (c[field] as string).slice(2)), 'invalid_commit'],
        [`${field} not a string`, (c) => (c[field] = 1), 'invalid_commit'],
        [`${field} null`, (c) => (c[field] = null), 'invalid_commit'],
      ],
    ),
    ['an unknown field', (c) => (c['more'] = 1), 'invalid_commit'],
    ['content_hash outside of a snapshot', (c) => (c['content_hash'] = 'ab'.repeat(32)), 'invalid_commit'],
    ['exp below zero', (c) => (c['exp'] = -1), 'invalid_commit'],
    ['exp as a string', (c) => (c['exp'] = '1'), 'invalid_commit'],
    ['exp null', (c) => (c['exp'] = null), 'invalid_commit'],
    ['an empty type', (c) => (c['type'] = ''), 'invalid_commit'],
    ['a type of 65', (c) => (c['type'] = 'x'.repeat(65)), 'invalid_commit'],
    ['a type with a space', (c) => (c['type'] = 'a b'), 'invalid_commit'],
    ['a type beyond ASCII', (c) => (c['type'] = 'é'), 'invalid_commit'],
    ['an unknown alg', (c) => (c['alg'] = 'rsa'), 'invalid_commit'],
    ['alg null', (c) => (c['alg'] = null), 'invalid_commit'],
    ['tags that are no array', (c) => (c['tags'] = {}), 'invalid_commit'],
    ['33 tags', (c) => (c['tags'] = Array(33).fill(['a'])), 'invalid_commit'],
    ['an empty tag', (c) => (c['tags'] = [[]]), 'invalid_commit'],
    ['a tag of 9', (c) => (c['tags'] = [Array(9).fill('a')]), 'invalid_commit'],
    ['a tag string of 257 bytes', (c) => (c['tags'] = [[`${'é'.repeat(128)}x`]]), 'invalid_commit'],
    ['a tag that is a number', (c) => (c['tags'] = [[1]]), 'invalid_commit'],
    ['other tags than were signed', (c) => (c['tags'] = [['a', 'c']]), 'invalid_hash'],
    ['no tags where some were signed', (c) => delete c['tags'], 'invalid_hash'],
    ['another content than was signed', (c) => (c['content'] = { n: 2 }), 'invalid_hash'],
    ['another type than was signed', (c) => (c['type'] = 'note'), 'invalid_hash'],
    ['another exp than was signed', (c) => (c['exp'] = (c['exp'] as number) + 1), 'invalid_hash'],
    ['another author than signed', (c) => (c['from'] = owner.id), 'invalid_hash'],
    ['another alg than was signed with', (c) => (c['alg'] = 'ecdsa'), 'invalid_signature'],
    ['a signature of zeros', (c) => (c['sig'] = '00'.repeat(64)), 'invalid_signature'],
    ['another enclave than was signed', (c) => (c['enclave'] = other.id), 'invalid_hash'],
    ['an author that is no point', (c) => (c['from'] = 'ff'.repeat(32)), 'invalid_hash'],
  ];
  it('each is refused, without a trace', () =>
    tracelessly(async () => {
      for (const [what, change, code] of changes) {
        const commit = good();
        change(commit);
        await assert.doesNotReject(
          node.post('/', commit).then((answer) => refused(answer, code)),
          what,
        );
      }
    }));

  it('exp missing makes it no commit at all', async () => {
    const { exp: _left, ...rest } = good();
    refused(await node.post('/', rest), 'invalid_commit');
  });

  it('the order of checks: exp, hash, signature, rights', () =>
    tracelessly(async () => {
      const expired = { ...good(), exp: 1, sig: '00'.repeat(64) };
      refused(await node.post('/', expired), 'expired');
      refused(await node.post('/', { ...good(), content: 0, sig: '00'.repeat(64) }), 'invalid_hash');
      const unsigned = JSON.parse(json(enclave.sign(stranger, 'chat', 1))) as object;
      refused(await node.post('/', { ...unsigned, sig: '00'.repeat(64) }), 'invalid_signature');
      refused(await node.post('/', { ...expired, enclave: 'ab'.repeat(32) }), 'enclave_not_found');
    }));

  it('a high-S ecdsa signature is refused', () =>
    tracelessly(async () => {
      const commit = JSON.parse(json(enclave.sign(member, 'chat', 'high s', { alg: 'ecdsa' }))) as { sig: string };
      const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
      const s = (n - BigInt(`0x${commit.sig.slice(64)}`)).toString(16).padStart(64, '0');
      refused(await node.post('/', { ...commit, sig: commit.sig.slice(0, 64) + s }), 'invalid_signature');
    }));

  it('exp at the limits', async () => {
    const frozen = node.now();
    refused(await enclave.send(member, 'chat', 'at T', { exp: frozen }), 'expired');
    refused(await enclave.send(member, 'chat', 'far', { exp: node.now() + 610_000 }), 'exp_too_far');
    assert.equal((await enclave.send(member, 'chat', 'near', { exp: node.now() + 590_000 })).status, 200);
  });
});

const id = (who: Person): string => who.id;
const SHAPES: [string, unknown][] = [
  ['Move', {}],
  ['Move', { target: 'x', from: 'OUTSIDER', to: 'MEMBER' }],
  ['Move', { target: id(stranger), from: 'OUTSIDER', to: 'NOWHERE' }],
  ['Move', { target: id(stranger), from: 1, to: 'MEMBER' }],
  ['Move', []],
  ['Move', null],
  ['Grant', { target: id(member) }],
  ['Grant', { target: id(member), trait: 'nothing' }],
  ['Grant', { target: id(member), trait: 'mod(2)' }],
  ['Grant', { target: id(member), trait: 'mod', endpoint: 1 }],
  ['Revoke', { trait: 'mod' }],
  ['Revoke', 'x'],
  ['Transfer', { target: id(member), trait: 'MEMBER' }],
  ['Transfer', {}],
  ['Gate', { alias: 'door' }],
  ['Gate', { alias: 'window', open: true }],
  ['Gate', { alias: 'door', open: 1 }],
  ['Gate', { open: true }],
  ['AC_Bundle', {}],
  ['AC_Bundle', { ops: [] }],
  ['AC_Bundle', { ops: Array(65).fill({ type: 'Gate', content: { alias: 'door', open: true } }) }],
  ['AC_Bundle', { ops: {} }],
  ['Shared', {}],
  ['Shared', { key: 'topic' }],
  ['Shared', { key: 'topic', value: 1, delete: true }],
  ['Shared', { key: 'topic', delete: false }],
  ['Shared', { key: '', value: 1 }],
  ['Shared', { key: 'é'.repeat(129), value: 1 }],
  ['Shared', { key: 1, value: 1 }],
  ['Own', { value: 1 }],
  ['Update', {}],
  ['Update', { target: 'x', content: 1 }],
  ['Update', { content: 1 }],
  ['Delete', {}],
  ['Delete', { target: 1 }],
  ['Pause', []],
  ['Pause', null],
  ['Resume', 1],
  ['Terminate', 'x'],
  ['Migrate', {}],
  ['Migrate', { new_sequencer: 'x', prev_seq: 0, ct_root: 'ab'.repeat(32) }],
  ['Migrate', { new_sequencer: id(owner), prev_seq: -1, ct_root: 'ab'.repeat(32) }],
  ['Migrate', { new_sequencer: id(owner), prev_seq: 0 }],
];

describe('§5: contents of predefined events', () => {
  it('each wrong shape and unknown name is invalid_content, before any right is looked at, without a trace', () =>
    tracelessly(async () => {
      for (const [type, content] of SHAPES) {
        for (const who of [owner, stranger]) {
          const answer = await enclave.send(who, type, content);
          assert.equal(
            (JSON.parse(answer.body) as { error: string }).error,
            'invalid_content',
            `${type} ${JSON.stringify(content).slice(0, 80)}: ${answer.body}`,
          );
        }
      }
    }));

  it('a fault inside a bundle names its op', () =>
    tracelessly(async () => {
      const open = { type: 'Gate', content: { alias: 'door', open: true } };
      refused(
        await enclave.send(owner, 'AC_Bundle', { ops: [open, { type: 'Shared', content: {} }] }),
        'invalid_content',
        '"op":1',
      );
      refused(
        await enclave.send(owner, 'AC_Bundle', { ops: [open, { type: 'AC_Bundle', content: { ops: [open] } }] }),
        'invalid_content',
        '"op":1',
      );
      refused(await enclave.send(owner, 'AC_Bundle', { ops: [open, open] }), 'no_change', '"op":1');
      refused(await enclave.send(stranger, 'AC_Bundle', { ops: [open] }), 'forbidden', '"op":0');
    }));
});

const move = (who: Person, from: string, to: string) => ({ target: who.id, from, to });

describe('§5: rights', () => {
  const cases: [string, () => Person, string, () => unknown, ErrorCode][] = [
    ['a type that no row allows', () => stranger, 'chat', () => 1, 'forbidden'],
    ['a type that nobody declared', () => owner, 'nothing', () => 1, 'forbidden'],
    ['Lanes, which is reserved', () => owner, 'Lanes', () => ({ count: 1 }), 'forbidden'],
    ['a denial wins over an allowance', () => mod, 'muted', () => 1, 'forbidden'],
    ['a move that no row names', () => owner, 'Move', () => move(stranger, 'OUTSIDER', 'BLOCKED'), 'forbidden'],
    [
      'a move by somebody else than its operator',
      () => member,
      'Move',
      () => move(stranger, 'OUTSIDER', 'MEMBER'),
      'forbidden',
    ],
    [
      'Self is the target, not the sender alone',
      () => owner,
      'Move',
      () => move(reader, 'READER', 'OUTSIDER'),
      'forbidden',
    ],
    ['a closed gate', () => stranger, 'Move', () => move(stranger, 'OUTSIDER', 'READER'), 'gate_closed'],
    ['a state that is not so', () => owner, 'Move', () => move(member, 'OUTSIDER', 'MEMBER'), 'state_mismatch'],
    ['rank: an equal', () => admin, 'Revoke', () => ({ target: peer.id, trait: 'admin' }), 'rank'],
    ['rank: a higher one', () => mod, 'Move', () => move(admin, 'MEMBER', 'OUTSIDER'), 'rank'],
    ["rank: granting one's own rank", () => admin, 'Grant', () => ({ target: member.id, trait: 'admin' }), 'rank'],
    ['a trait outside the scope', () => owner, 'Grant', () => ({ target: reader.id, trait: 'mod' }), 'forbidden'],
    [
      'a trait that the row does not name',
      () => owner,
      'Grant',
      () => ({ target: member.id, trait: 'owner' }),
      'forbidden',
    ],
    ['a grant of what is held', () => owner, 'Grant', () => ({ target: mod.id, trait: 'mod' }), 'no_change'],
    [
      'a revocation of what is not held',
      () => owner,
      'Revoke',
      () => ({ target: member.id, trait: 'mod' }),
      'no_change',
    ],
    [
      'a transfer of what one does not hold',
      () => member,
      'Transfer',
      () => ({ target: mod.id, trait: 'owner' }),
      'forbidden',
    ],
    ['a transfer to oneself', () => owner, 'Transfer', () => ({ target: owner.id, trait: 'owner' }), 'no_change'],
    [
      'the last holder of rank 0 leaves',
      () => owner,
      'Move',
      () => move(owner, 'MEMBER', 'OUTSIDER'),
      'owner_must_transfer',
    ],
    ['a gate by one who is not its operator', () => member, 'Gate', () => ({ alias: 'door', open: true }), 'forbidden'],
    ['a gate that is so already', () => owner, 'Gate', () => ({ alias: 'door', open: false }), 'no_change'],
    ['a slot of another key', () => owner, 'Shared', () => ({ key: 'topics', value: 1 }), 'forbidden'],
    ['a slot of somebody without the right', () => member, 'Shared', () => ({ key: 'topic', value: 1 }), 'forbidden'],
    ['a slot outside of the prefix', () => member, 'Own', () => ({ key: 'profil', value: 1 }), 'forbidden'],
    ['the deletion of a slot without D', () => member, 'Own', () => ({ key: 'profile/a', delete: true }), 'forbidden'],
    [
      'an update by somebody else than the sender',
      () => admin,
      'Update',
      () => ({ target: chat, content: 1 }),
      'forbidden',
    ],
    ['an update of a type one has no U on', () => member, 'Update', () => ({ target: note, content: 1 }), 'forbidden'],
    ['a deletion by a stranger', () => stranger, 'Delete', () => ({ target: note }), 'forbidden'],
    ['an update of nothing', () => owner, 'Update', () => ({ target: 'ab'.repeat(32), content: 1 }), 'event_not_found'],
    ['an update of what is deleted', () => owner, 'Update', () => ({ target: gone, content: 1 }), 'deleted'],
    ['a second deletion', () => owner, 'Delete', () => ({ target: gone }), 'deleted'],
    [
      'a deletion of the deleted by one without rights',
      () => stranger,
      'Delete',
      () => ({ target: gone }),
      'forbidden',
    ],
    ['Pause by one whom no row names', () => admin, 'Pause', () => ({}), 'forbidden'],
    ['Resume of what is active', () => owner, 'Resume', () => ({}), 'no_change'],
    ['Terminate by a stranger', () => stranger, 'Terminate', () => ({}), 'forbidden'],
    [
      'Migrate from another head',
      () => owner,
      'Migrate',
      () => ({ new_sequencer: member.id, prev_seq: 1, ct_root: 'ab'.repeat(32) }),
      'state_mismatch',
    ],
  ];
  it('each is refused with its code, without a trace', () =>
    tracelessly(async () => {
      for (const [what, who, type, content, code] of cases) {
        await assert.doesNotReject(
          enclave.send(who(), type, content()).then((answer) => refused(answer, code)),
          what,
        );
      }
    }));

  it('a slot that is absent cannot be deleted', async () => {
    await enclave.commit(owner, 'Shared', { key: 'topic', delete: true });
    refused(await enclave.send(owner, 'Shared', { key: 'topic', delete: true }), 'no_change');
  });

  it('while paused only Resume, Terminate and Migrate pass', async () => {
    await enclave.commit(owner, 'Pause', {});
    for (const [type, content] of [
      ['note', 1],
      ['Gate', { alias: 'door', open: true }],
      ['Pause', {}],
      ['Delete', { target: note }],
      ['AC_Bundle', { ops: [] }],
    ] as const) {
      refused(await enclave.send(owner, type, content), 'enclave_paused');
    }
    refused(await enclave.send(stranger, 'Resume', {}), 'forbidden');
    await enclave.commit(owner, 'Resume', {});
    await enclave.commit(owner, 'note', 'goes on');
  });

  it('what is allowed still is: the scene is not simply closed', async () => {
    await enclave.commit(admin, 'Revoke', { target: mod.id, trait: 'mod' });
    await enclave.commit(mod, 'muted', 'not denied any more');
    await enclave.commit(admin, 'Revoke', { target: admin.id, trait: 'admin' });
    await enclave.commit(owner, 'Gate', { alias: 'door', open: true });
    await enclave.commit(stranger, 'Move', move(stranger, 'OUTSIDER', 'READER'));
    await enclave.commit(member, 'Update', { target: chat, content: 'mine' });
    await enclave.commit(owner, 'Transfer', { target: member.id, trait: 'owner' });
    await enclave.commit(member, 'Terminate', {});
  });
});

describe('§4: Manifests', () => {
  const row = { event: 'x', operator: 'MEMBER', ops: ['C'] };
  const rbac = (more: object): object => manifest({}, more);
  const moves = (
    JSON.parse(JSON.stringify(manifest())) as { RBAC: { moves: object[]; customs: object[]; init: object[] } }
  ).RBAC;
  const cases: [string, object, string][] = [
    ['another version', manifest({ enc_v: 1 }), '/enc_v'],
    ['no version', manifest({ enc_v: undefined }), '/enc_v'],
    ['an unknown key', manifest({ more: 1 }), '/more'],
    ['a nonce that is no string', manifest({ nonce: 1 }), '/nonce'],
    ['a bundle of no events', manifest({ bundle: { size: 0 } }), '/bundle/size'],
    ['a bundle of too many', manifest({ bundle: { size: 4097 } }), '/bundle/size'],
    ['a timeout too short', manifest({ bundle: { timeout: 99 } }), '/bundle/timeout'],
    ['a timeout too long', manifest({ bundle: { timeout: 600_001 } }), '/bundle/timeout'],
    ['an unknown key of a bundle', manifest({ bundle: { more: 1 } }), '/bundle/more'],
    ['a sequencer that is no key', manifest({ sequencer: 'x' }), '/sequencer'],
    ['the sequencer of another node', manifest({ sequencer: owner.id }), '/sequencer'],
    ['no RBAC', manifest({ RBAC: undefined }), '/RBAC'],
    ['RBAC that is a list', manifest({ RBAC: [] }), '/RBAC'],
    ['an unknown list', rbac({ more: [] }), '/RBAC/more'],
    ['states that are no list', rbac({ states: {} }), '/RBAC/states'],
    ['a state in lower case', rbac({ states: ['member'] }), '/RBAC/states/0'],
    ['OUTSIDER declared', rbac({ states: ['OUTSIDER'] }), '/RBAC/states/0'],
    ['256 states', rbac({ states: Array.from({ length: 256 }, (_, i) => `S${i}`) }), '/RBAC/states'],
    ['a state twice', rbac({ states: ['MEMBER', 'READER', 'BLOCKED', 'MEMBER'] }), '/RBAC/states/3'],
    ['a trait without a rank', rbac({ traits: ['owner'] }), '/RBAC/traits/0'],
    ['25 traits', rbac({ traits: Array.from({ length: 25 }, (_, i) => `t${i}(1)`) }), '/RBAC/traits'],
    ['a reader of an unknown column', rbac({ readers: [{ type: 'NOBODY', reads: '*' }] }), '/RBAC/readers/0/type'],
    ['reads of another shape', rbac({ readers: [{ type: 'MEMBER', reads: 'all' }] }), '/RBAC/readers/0/reads'],
    [
      'an unknown retention',
      rbac({ readers: [{ type: 'MEMBER', reads: '*', retention: 'ever' }] }),
      '/RBAC/readers/0/retention',
    ],
    [
      'a move to where one is',
      rbac({ moves: [...moves.moves, { event: 'Move', from: 'MEMBER', to: 'MEMBER', operator: 'owner', ops: ['C'] }] }),
      '/RBAC/moves/7/to',
    ],
    [
      'a move that reads',
      rbac({ moves: [{ event: 'Move', from: 'MEMBER', to: 'BLOCKED', operator: 'owner', ops: ['R'] }] }),
      '/RBAC/moves/0/ops/0',
    ],
    [
      'a gate without an alias',
      rbac({ customs: [...moves.customs, { ...row, gate: { operator: ['owner'] } }] }),
      '/RBAC/customs/6/alias',
    ],
    [
      'two definitions of one gate',
      rbac({ customs: [...moves.customs, { ...row, alias: 'door', gate: { operator: ['mod'] } }] }),
      '/RBAC/customs/6/gate',
    ],
    [
      'a custom with the name of a predefined event',
      rbac({ customs: [{ ...row, event: 'Move' }] }),
      '/RBAC/customs/0/event',
    ],
    ['an operator that is a list', rbac({ customs: [{ ...row, operator: ['MEMBER'] }] }), '/RBAC/customs/0/operator'],
    ['an unknown op', rbac({ customs: [{ ...row, ops: ['X'] }] }), '/RBAC/customs/0/ops/0'],
    [
      'an unknown lifecycle event',
      rbac({ lifecycle: [{ event: 'Stop', operator: 'owner', ops: ['C'] }] }),
      '/RBAC/lifecycle/0/event',
    ],
    [
      'a slot without a key',
      rbac({ slots: [{ event: 'Shared', operator: 'owner', ops: ['C'] }] }),
      '/RBAC/slots/0/key',
    ],
    ['an identity twice in init', rbac({ init: [...moves.init, moves.init[0]] }), '/RBAC/init/3/identity'],
    [
      'an unknown state in init',
      rbac({ init: [{ identity: owner.id, state: 'NOBODY', traits: [] }] }),
      '/RBAC/init/0/state',
    ],
    [
      'traits of an OUTSIDER',
      rbac({ init: [...moves.init, { identity: stranger.id, state: 'OUTSIDER', traits: ['mod'] }] }),
      '/RBAC/init/3/traits',
    ],
    ['a state that nobody can reach', rbac({ states: ['MEMBER', 'READER', 'BLOCKED', 'LOST'] }), '/RBAC/states/3'],
    [
      '1,025 rows',
      rbac({ customs: Array.from({ length: 1025 }, (_, i) => ({ ...row, event: `e${i}` })) }),
      '/RBAC/customs',
    ],
  ];
  for (const [what, content, path] of cases) {
    it(`${what}: ${path}`, async () => {
      const commit = founding(owner, JSON.parse(JSON.stringify(content)), { exp: node.now() + 60_000 });
      refused(await node.post('/', json(commit)), 'invalid_manifest', `"path":"${path}"`);
      refused(await node.post('/', { type: 'Info', enclave: commit.enclave }), 'enclave_not_found');
    });
  }

  it('content that is no object is refused at its root', async () => {
    const answer = await node.post(
      '/',
      json(sign(owner, 'ab'.repeat(32), 'Manifest', 'x', { exp: node.now() + 60_000 })),
    );
    assert.equal((JSON.parse(answer.body) as { error: string }).error, 'invalid_manifest');
  });
});
