import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitJson, enclaveIdOf } from '../../protocol/commit.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { STAGE_ADMIN, STAGE_FULL } from '../kernel.ts';
import { admin, alice, bob, carol, groupManifest, owner, stranger } from './group.test-util.ts';
import {
  found,
  inspect,
  MINUTE,
  manifestOf,
  type Person,
  person,
  type Result,
  TestNode,
} from './memory-node.test-util.ts';

const codeOf = (result: Result): string | null => result.error;
const join = (target: Person, from = 'OUTSIDER', to = 'MEMBER') => ({ target: target.id, from, to });

test('what is wrong with the envelope is refused in the order of PROTOCOL §3, and leaves no trace', () => {
  const node = found(owner, groupManifest());
  const before = toHex(node.kernel.stateHash());
  const good = node.sign(alice, 'Message', 'hi');
  const other = new TestNode(enclaveIdOf(owner.id, 'x'));
  assert.equal(codeOf(other.send(alice, 'Message', 'hi')), 'enclave_not_found');
  assert.equal(codeOf(node.deliver(commitJson({ ...good, enclave: other.enclave }))), 'enclave_not_found');
  assert.equal(
    codeOf(node.deliver(commitJson({ ...node.sign(alice, 'Message', 1, { exp: node.now }), hash: good.hash }))),
    'expired',
  );
  assert.equal(codeOf(node.send(alice, 'Message', 1, { exp: node.now + 10 * MINUTE + 1 })), 'exp_too_far');
  assert.equal(
    codeOf(
      node.deliver(
        commitJson({ ...good, hash: node.sign(alice, 'Message', 2).hash, sig: node.sign(bob, 'Message', 2).sig }),
      ),
    ),
    'invalid_hash',
  );
  assert.equal(
    codeOf(node.deliver(commitJson({ ...good, sig: node.sign(bob, 'Message', 'hi').sig }))),
    'invalid_signature',
  );
  assert.equal(codeOf(node.send(stranger, 'Message', 'hi')), 'forbidden');
  assert.equal(codeOf(node.send(alice, 'Nothing', 'hi')), 'forbidden');
  assert.equal(codeOf(node.send(alice, 'Lanes', { count: 1 })), 'forbidden');
  assert.equal(codeOf(node.send(alice, 'Shared', { key: 'topic' })), 'invalid_content');
  assert.equal(toHex(node.kernel.stateHash()), before);
  assert.equal(node.kernel.head().seq, 0);
  assert.equal(node.send(alice, 'Message', 'hi', { exp: node.now + 1 }).error, null);
  assert.equal(node.send(alice, 'Message', 'hi', { exp: node.now + 10 * MINUTE, alg: 'ecdsa' }).error, null);
});

test('a Manifest must be valid, found its own id, and be the first', () => {
  const content = manifestOf(groupManifest());
  const node = new TestNode(enclaveIdOf(owner.id, content));
  assert.deepEqual(new TestNode(enclaveIdOf(alice.id, content)).send(owner, 'Manifest', content), {
    error: 'invalid_manifest',
    detail: '"path":"/enclave"',
  });
  const bad = toJson({ enc_v: 2, RBAC: { states: ['A'] } });
  assert.deepEqual(new TestNode(enclaveIdOf(owner.id, bad)).send(owner, 'Manifest', bad), {
    error: 'invalid_manifest',
    detail: '"path":"/RBAC/states/0"',
  });
  const elsewhere = manifestOf({ sequencer: bob.id, RBAC: {} });
  assert.deepEqual(new TestNode(enclaveIdOf(owner.id, elsewhere)).send(owner, 'Manifest', elsewhere), {
    error: 'invalid_manifest',
    detail: '"path":"/sequencer"',
  });
  const text = commitJson(node.sign(owner, 'Manifest', content));
  const first = node.deliver(text);
  assert.equal(first.error, null);
  assert.deepEqual(node.deliver(text), first);
  assert.equal(codeOf(node.send(owner, 'Manifest', content, { exp: node.now + 2 * MINUTE })), 'enclave_exists');
});

test('a provisioned id takes a Manifest from its creator, or else with the admin token only', () => {
  const id = enclaveIdOf(owner.id, 'anything');
  const content = manifestOf({ RBAC: {} });
  const named = new TestNode(id, undefined, { provisioned: { creator: unhex(owner.id) } });
  assert.equal(codeOf(named.send(alice, 'Manifest', content, { flags: STAGE_ADMIN })), 'forbidden');
  assert.equal(named.send(owner, 'Manifest', content).error, null);
  const open = new TestNode(id, undefined, { provisioned: {} });
  assert.equal(codeOf(open.send(alice, 'Manifest', content)), 'forbidden');
  assert.equal(open.send(alice, 'Manifest', content, { flags: STAGE_ADMIN }).error, null);
});

test('a retry gets the original receipt, also on an enclave that is over, until it expires', () => {
  const node = found(owner, groupManifest());
  const text = commitJson(node.sign(alice, 'Message', 'once', { exp: node.now + MINUTE }));
  const first = node.deliver(text);
  assert.deepEqual(node.deliver(text), first);
  node.send(owner, 'Pause', {});
  assert.deepEqual(node.deliver(text), first);
  node.send(owner, 'Terminate', {});
  assert.deepEqual(node.deliver(text), first);
  assert.equal(node.log.events.length, 4);
  node.now += MINUTE;
  assert.equal(codeOf(node.deliver(text)), 'expired');
});

test('the same commit twice in one batch is one event', () => {
  const node = found(owner, groupManifest());
  const { bytes } = inspectCommit(node, alice);
  node.kernel.begin(node.now);
  assert.equal(node.kernel.stage(bytes, 0), 0);
  assert.equal(node.kernel.seq, 1);
  assert.equal(node.kernel.stage(bytes, 0), -1);
  assert.equal(node.kernel.seq, 1);
  assert.equal(node.finish().events, 1);
});

test('time never goes back, and a retry after the clock stepped back is still the same commit', () => {
  const node = found(owner, groupManifest());
  const text = commitJson(node.sign(alice, 'Message', 'x', { exp: node.now + MINUTE }));
  const first = node.deliver(text);
  node.now -= 5000;
  assert.deepEqual(node.deliver(text), first);
  node.send(alice, 'Message', 'y');
  assert.equal(node.event(2).timestamp, node.event(1).timestamp);
});

test('a quota refuses all that grows, but lets members leave and the enclave end', () => {
  const node = found(owner, groupManifest());
  node.send(alice, 'Message', 'x');
  const full = { flags: STAGE_FULL };
  assert.equal(codeOf(node.send(alice, 'Message', 'y', full)), 'too_large');
  assert.equal(codeOf(node.send(alice, 'Update', {}, full)), 'too_large');
  assert.equal(node.send(alice, 'Delete', { target: toHex(node.event(1).id) }, full).error, null);
  assert.equal(codeOf(node.send(owner, 'Revoke', { target: admin.id, trait: 'admin' }, full)), null);
  assert.equal(node.send(owner, 'Pause', {}, full).error, null);
});

test('without the key the enclave is read-only, whatever else would be said', () => {
  const node = found(owner, groupManifest());
  const text = commitJson(node.sign(alice, 'Message', 'x'));
  const first = node.deliver(text);
  node.send(owner, 'Pause', {});
  node.close();
  const base = node.kernel.exportBase();
  const recents = node.kernel.exportRecents(0);
  const { sequencer: _, ...keyless } = node.params();
  node.kernel.load(keyless, base, [recents]);
  assert.equal(codeOf(node.send(alice, 'Message', 'z')), 'enclave_read_only');
  assert.deepEqual(node.deliver(text), first);
  node.kernel.load({ ...keyless, sequencer: unhex(bob.id) }, base, [recents]);
  assert.equal(codeOf(node.send(owner, 'Resume', {})), 'enclave_read_only');
  node.kernel.load(node.params(), base, [recents]);
  assert.equal(codeOf(node.send(alice, 'Message', 'z')), 'enclave_paused');
});

test('a group lives: members come, talk, are promoted, muted, banned and let go', () => {
  const node = found(owner, groupManifest());
  const joining = (open: boolean) => ({ alias: 'joining', open });
  assert.equal(codeOf(node.send(bob, 'Move', join(bob))), 'gate_closed');
  assert.equal(codeOf(node.send(alice, 'Gate', joining(true))), 'forbidden');
  assert.equal(codeOf(node.send(owner, 'Gate', { alias: 'nope', open: true })), 'invalid_content');
  assert.equal(node.send(admin, 'Gate', joining(true)).error, null);
  assert.equal(codeOf(node.send(admin, 'Gate', joining(true))), 'no_change');
  assert.equal(node.send(bob, 'Move', join(bob)).error, null);
  assert.equal(codeOf(node.send(bob, 'Move', join(bob))), 'state_mismatch');
  assert.equal(node.send(admin, 'Gate', joining(false)).error, null);
  assert.equal(codeOf(node.send(carol, 'Move', join(carol))), 'gate_closed');
  assert.equal(codeOf(node.send(carol, 'Move', join(bob))), 'forbidden');
  assert.equal(node.send(admin, 'Grant', { target: bob.id, trait: 'mod' }).error, null);
  assert.equal(codeOf(node.send(admin, 'Grant', { target: bob.id, trait: 'mod' })), 'no_change');
  assert.equal(codeOf(node.send(admin, 'Grant', { target: alice.id, trait: 'admin' })), 'rank');
  assert.equal(node.send(bob, 'Move', join(alice, 'MEMBER', 'BANNED')).error, null);
  assert.equal(codeOf(node.send(bob, 'Move', join(admin, 'MEMBER', 'BANNED'))), 'rank');
  assert.equal(codeOf(node.send(alice, 'Message', 'let me in')), 'forbidden');
  assert.equal(node.send(admin, 'Grant', { target: bob.id, trait: 'muted' }).error, null);
  assert.equal(codeOf(node.send(bob, 'Message', 'hm')), 'forbidden');
  assert.equal(node.send(bob, 'Revoke', { target: bob.id, trait: 'muted' }).error, null);
  assert.equal(node.send(bob, 'Message', 'ah').error, null);
  assert.equal(node.send(admin, 'Transfer', { target: bob.id, trait: 'admin' }).error, null);
  assert.equal(codeOf(node.send(admin, 'Transfer', { target: bob.id, trait: 'admin' })), 'forbidden');
  assert.equal(node.send(bob, 'Move', join(alice, 'BANNED', 'OUTSIDER')).error, null);
  assert.equal(node.kernel.leaves, 4);
});

test('AC_Bundle is all or nothing, and names the op that failed', () => {
  const node = found(owner, groupManifest());
  const before = toHex(node.kernel.stateHash());
  const op = (type: string, content: unknown) => ({ type, content });
  const failing = [
    op('Move', join(bob)),
    op('Grant', { target: bob.id, trait: 'mod' }),
    op('Grant', { target: bob.id, trait: 'mod' }),
  ];
  assert.deepEqual(node.send(admin, 'AC_Bundle', { ops: failing }), { error: 'no_change', detail: '"op":2' });
  assert.deepEqual(node.send(admin, 'AC_Bundle', { ops: [...failing, op('Grant', { target: bob.id, trait: 'x' })] }), {
    error: 'invalid_content',
    detail: '"op":3',
  });
  assert.equal(toHex(node.kernel.stateHash()), before);
  assert.equal(node.send(admin, 'AC_Bundle', { ops: failing.slice(0, 2) }).error, null);
  assert.equal(node.send(bob, 'Move', join(alice, 'MEMBER', 'BANNED')).error, null);
});

test('content is updated and deleted by whom the matrix says, and a deletion is final', () => {
  const node = found(owner, groupManifest());
  node.send(alice, 'Message', { text: 'one' }, { tags: [['t', 'a']] });
  node.send(admin, 'Message', { text: 'two' });
  const [first, second] = [1, 2].map((seq) => ({ target: toHex(node.event(seq).id) }));
  const edit = (target: object | undefined) => ({ ...target, content: { text: 'edited' } });
  assert.equal(codeOf(node.send(alice, 'Update', edit({ target: toHex(node.event(0).id) }))), 'event_not_found');
  assert.equal(codeOf(node.send(alice, 'Update', edit({ target: '00'.repeat(32) }))), 'event_not_found');
  assert.equal(codeOf(node.send(alice, 'Update', edit(second))), 'forbidden');
  assert.equal(node.send(alice, 'Update', edit(first)).error, null);
  assert.equal(codeOf(node.send(admin, 'Delete', first)), 'forbidden');
  assert.deepEqual(
    (node.query(owner, { id: first?.target ?? '' }) as object[]).map((event) => 'status' in event && event.status),
    ['updated'],
  );
  assert.equal(node.send(alice, 'Delete', first).error, null);
  assert.equal(codeOf(node.send(alice, 'Delete', first)), 'deleted');
  assert.equal(codeOf(node.send(admin, 'Delete', first)), 'forbidden');
  const shown = node.query(owner, {}) as Record<string, unknown>[];
  assert.equal(shown.length, 5);
  assert.deepEqual(
    [shown[1]?.content, shown[1]?.status, shown[1]?.content_hash],
    [null, 'deleted', toHex(node.event(1).contentHash)],
  );
  assert.deepEqual([shown[3]?.content, shown[3]?.status], [null, undefined]);
  assert.equal((node.query(owner, { tags: { t: 'a' } }) as unknown[]).length, 1);
});

test('slots: one value per key, or per key and sender', () => {
  const node = found(owner, groupManifest());
  assert.equal(node.send(alice, 'Shared', { key: 'topic', value: null }).error, null);
  assert.equal(node.send(alice, 'Shared', { key: 'topic', value: 1 }).error, null);
  assert.equal(codeOf(node.send(alice, 'Shared', { key: 'topic', delete: true })), 'forbidden');
  assert.equal(codeOf(node.send(alice, 'Shared', { key: 'cfg.x', value: 1 })), 'forbidden');
  assert.equal(node.send(admin, 'Shared', { key: 'cfg.x', value: 1 }).error, null);
  assert.equal(node.send(admin, 'Shared', { key: 'cfg.x', delete: true }).error, null);
  assert.equal(codeOf(node.send(admin, 'Shared', { key: 'cfg.x', delete: true })), 'no_change');
  assert.equal(node.send(alice, 'Own', { key: 'p', value: 1 }).error, null);
  assert.equal(codeOf(node.send(admin, 'Own', { key: 'p', delete: true })), 'no_change');
});

test('lifecycle: paused, resumed, terminated', () => {
  const node = found(owner, groupManifest());
  assert.equal(codeOf(node.send(admin, 'Pause', {})), 'forbidden');
  assert.equal(codeOf(node.send(owner, 'Resume', {})), 'no_change');
  assert.equal(node.send(owner, 'Pause', {}).error, null);
  assert.equal(node.kernel.status, 'paused');
  assert.equal(codeOf(node.send(owner, 'Pause', {})), 'enclave_paused');
  assert.equal(codeOf(node.send(alice, 'Message', 1)), 'enclave_paused');
  assert.equal(codeOf(node.send(admin, 'Resume', {})), 'forbidden');
  assert.equal(node.send(owner, 'Resume', {}).error, null);
  assert.equal(node.send(owner, 'Terminate', {}).error, null);
  assert.equal(node.kernel.dueAt, 0);
  assert.equal(codeOf(node.send(owner, 'Resume', {})), 'enclave_terminated');
});

test('Migrate names the head and the CT root, ends the log here, and the new key goes on', () => {
  const node = found(owner, groupManifest());
  const successor = person('successor');
  const order = () => ({
    new_sequencer: successor.id,
    prev_seq: node.kernel.head().seq,
    ct_root: toHex(node.kernel.head().ctRoot),
  });
  node.send(owner, 'Pause', {});
  assert.equal(codeOf(node.send(owner, 'Migrate', { ...order(), prev_seq: 0 })), 'state_mismatch');
  assert.equal(codeOf(node.send(owner, 'Migrate', { ...order(), ct_root: '00'.repeat(32) })), 'state_mismatch');
  assert.equal(codeOf(node.send(alice, 'Migrate', order())), 'forbidden');
  assert.equal(node.send(owner, 'Migrate', order()).error, null);
  assert.equal(node.kernel.head().bundles, 1);
  assert.deepEqual(node.send(alice, 'Message', 1), {
    error: 'enclave_migrated',
    detail: `"new_sequencer":"${successor.id}"`,
  });

  const next = new TestNode(node.enclave, successor);
  next.log.append(node.log);
  next.kernel.load(next.params(), node.kernel.exportBase(), [node.kernel.exportRecents(0)]);
  assert.equal(codeOf(next.send(stranger, 'Message', 1)), 'forbidden');
  assert.equal(next.kernel.status, 'migrated');
  assert.equal(next.send(alice, 'Message', 1).error, null);
  assert.equal(next.kernel.status, 'active');
  assert.equal(toHex(next.event(3).sequencer), successor.id);
  const again = new TestNode(node.enclave, successor);
  again.log.append(next.log);
  again.kernel.replay(next.log.skeleton, next.log.content);
  assert.equal(toHex(again.kernel.stateHash()), toHex(next.kernel.stateHash()));
  assert.deepEqual(again.kernel.head(), next.kernel.head());
});

test('bundles close when they are full, when they are due, and when told; never empty', () => {
  const node = found(owner, groupManifest());
  for (const n of [1, 2, 3]) node.send(alice, 'Message', n);
  assert.equal(node.kernel.head().bundles, 1);
  assert.equal(node.kernel.dueAt, 0);
  node.send(alice, 'Message', 4);
  assert.equal(node.kernel.dueAt, node.now + 5000);
  node.now += 4999;
  node.send(alice, 'Message', 5);
  assert.equal(node.kernel.head().bundles, 1);
  node.now += 1;
  node.send(alice, 'Message', 6);
  assert.equal(node.kernel.head().bundles, 2);
  node.close();
  node.close();
  assert.equal(node.kernel.head().bundles, 3);
});

test('a Migrate whose closings are not sealed yet cannot name their root', () => {
  const node = found(owner, groupManifest());
  const text = commitJson(
    node.sign(owner, 'Migrate', { new_sequencer: bob.id, prev_seq: 0, ct_root: toHex(node.kernel.head().ctRoot) }),
  );
  node.now += 5000;
  assert.equal(codeOf(node.deliver(text)), 'state_mismatch');
});

function inspectCommit(node: TestNode, who: Person): { bytes: Uint8Array } {
  return inspect(commitJson(node.sign(who, 'Message', 'twice')));
}
