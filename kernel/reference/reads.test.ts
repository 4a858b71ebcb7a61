import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyBundlePath } from '../../protocol/bundle-tree.ts';
import { viewOf } from '../../protocol/bytes.ts';
import { verifyConsistency, verifyInclusion } from '../../protocol/ct.ts';
import { ctLeaf, ctLeafData, EMPTY_HASH } from '../../protocol/hash.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { readClosingRecord } from '../../protocol/records.ts';
import { parseSmtProof, smtVerify } from '../../protocol/smt.ts';
import { parseSth, verifySth } from '../../protocol/sth.ts';
import { REQUEST_CONSISTENCY, REQUEST_STH } from '../kernel.ts';
import { admin, alice, bob, groupManifest, owner, stranger } from './group.test-util.ts';
import { found, type Person, type TestNode } from './memory-node.test-util.ts';

interface InclusionAnswer {
  p: string[];
  events_root: string;
  state_hash: string;
  first_seq: number;
  bundle_size: number;
  li: number;
  ts: number;
}
interface BundleAnswer {
  siblings: string[];
  leaf_index: number;
  bundle_index: number;
  bundle_size: number;
}

const join = (target: Person, from = 'OUTSIDER', to = 'MEMBER') => ({ target: target.id, from, to });

test('proofs: bundle, inclusion, consistency, state and tree head all verify, and follow reading', () => {
  const node = found(owner, groupManifest());
  assert.equal(node.prove(owner, 'bundle', { seq: 0 }), 'bundle_open');
  assert.equal(node.prove(owner, 'state', { namespace: 'rbac', key: owner.id }), 'bundle_open');
  for (let n = 0; n < 25; n++) node.send(alice, 'Message', n);
  const root = node.kernel.head().ctRoot;
  const bundles = node.kernel.head().bundles;
  for (const seq of [0, 5, 23]) {
    const proof = node.prove(owner, 'inclusion', { seq }) as unknown as InclusionAnswer;
    const path = proof.p.map(unhex);
    const leaf = ctLeaf(
      ctLeafData(unhex(proof.events_root), unhex(proof.state_hash), proof.first_seq, proof.bundle_size),
    );
    assert.ok(verifyInclusion(root, leaf, proof.li, proof.ts, path));
    assert.deepEqual(node.prove(owner, 'inclusion', { id: toHex(node.event(seq).id) }), proof);
    assert.deepEqual(node.prove(alice, 'inclusion', { leaf_index: proof.li }), proof);
    const inBundle = node.prove(owner, 'bundle', { seq }) as unknown as BundleAnswer;
    assert.equal(inBundle.leaf_index, proof.li);
    const siblings = inBundle.siblings.map(unhex);
    assert.ok(
      verifyBundlePath(
        unhex(proof.events_root),
        node.event(seq).id,
        inBundle.bundle_index,
        inBundle.bundle_size,
        siblings,
      ),
    );
  }
  assert.equal(node.prove(owner, 'inclusion', { seq: 25 }), 'bundle_open');
  assert.equal(node.prove(owner, 'inclusion', { seq: 5, ts: bundles + 1 }), 'bundle_open');
  assert.equal(node.prove(owner, 'inclusion', { seq: 5, ts: 1 }), 'invalid_filter');
  assert.equal(node.prove(owner, 'inclusion', { leaf_index: bundles }), 'bundle_open');
  assert.equal(node.prove(owner, 'bundle', { seq: 99 }), 'event_not_found');
  assert.equal(node.prove(alice, 'bundle', { seq: 99 }), 'forbidden');
  assert.equal(node.prove(alice, 'bundle', { seq: 0 }), 'forbidden');

  for (const [from, to] of [
    [0, 6],
    [1, 6],
    [3, 5],
    [4, 6],
    [6, 6],
  ] as const) {
    const proof = node.read(spanRequest(node, from, to)) as Record<string, string[]>;
    assert.deepEqual([proof.ts1, proof.ts2], [from, to]);
    const [a, b] = [from, to].map((size) => rootOf(node, size)) as [Uint8Array, Uint8Array];
    assert.ok(verifyConsistency(from, to, a, b, (proof.p as string[]).map(unhex)));
  }
  assert.equal(node.read(spanRequest(node, 3, 2)), 'invalid_filter');
  assert.equal(node.read(spanRequest(node, 3, 7)), 'bundle_open');
  assert.equal((node.read(spanRequest(node, -1, -1)) as Record<string, unknown>).ts2, 6);

  const state = node.prove(alice, 'state', { namespace: 'rbac', key: alice.id }) as Record<string, unknown>;
  const parsed = parseSmtProof(toJson(state), ['state_hash', 'leaf_index']);
  assert.ok(parsed?.value && smtVerify(unhex(state.state_hash as string), parsed));
  assert.equal(state.leaf_index, 5);
  assert.equal(node.prove(alice, 'state', { namespace: 'rbac', key: owner.id }), 'forbidden');
  assert.equal(node.prove(alice, 'state', { namespace: 'kv', key: '8266736861726564' }), 'invalid_filter');
  assert.equal(node.prove(alice, 'state', { namespace: 'kv', key: '826467617465676a6f696e696e67' }), 'forbidden');
  assert.ok(typeof node.prove(stranger, 'state', { namespace: 'kv', key: '8166737461747573' }) === 'object');
  assert.equal(typeof node.prove(stranger, 'state', { namespace: 'event_status', key: '00'.repeat(32) }), 'object');
  assert.equal(node.prove(stranger, 'state', { namespace: 'event_status', key: toHex(node.event(1).id) }), 'forbidden');
  const batch = node.prove(owner, 'state-batch', { namespace: 'rbac', keys: [owner.id, bob.id] }) as Record<
    string,
    unknown[]
  >;
  assert.equal(batch.proofs?.length, 2);

  const head = parseSth(toJson(node.read(sthRequest(node))));
  assert.ok(head && verifySth(head));
  assert.equal(head.ts, 6);
});

test('Info tells who and where, to anyone', () => {
  const node = found(owner, groupManifest());
  node.send(alice, 'Message', 1);
  const info = node.read(node.request(stranger, { type: 'Info', from: undefined, session: undefined }));
  assert.deepEqual(info, {
    type: 'Info',
    enclave: node.enclave,
    sequencer: node.sequencer.id,
    head: 1,
    timestamp: node.now,
    status: 'active',
    bundle: { size: 4, timeout: 5000 },
    lanes: 0,
    manifest: toHex(node.event(0).id),
  });
});

test('a session holds for its maker, this sequencer and its time', () => {
  const node = found(owner, groupManifest());
  const forged = node.request(alice, { type: 'Query', filter: {}, session: node.session(bob) });
  assert.equal(node.kernel.openQuery(forged, node.now), 11);
  const foreign = node.request(alice, { type: 'Query', filter: {}, session: node.session(alice, bob) });
  assert.equal(node.kernel.openQuery(foreign, node.now), 11);
  const good = node.request(alice, { type: 'Query', filter: {} });
  assert.equal(node.kernel.openQuery(good, node.now), 0);
  assert.equal(node.kernel.openQuery(good, node.now + 3_661_000), 12);
  assert.equal(node.kernel.openQuery(good, node.now - 3_661_000), 11);
});

test('who may read nothing is told so, whatever they ask', () => {
  const node = found(owner, {
    RBAC: {
      states: ['OWNER'],
      readers: [{ type: 'OWNER', reads: '*' }],
      init: [{ identity: owner.id, state: 'OWNER', traits: [] }],
    },
  });
  node.close();
  assert.equal(node.query(stranger), 'forbidden');
  assert.equal(node.query(stranger, {}, true), 'forbidden');
  assert.equal(node.prove(stranger, 'inclusion', { leaf_index: 0 }), 'forbidden');
  assert.equal(node.prove(stranger, 'inclusion', { seq: 0 }), 'forbidden');
  assert.equal(node.prove(stranger, 'state', { namespace: 'event_status', key: '00'.repeat(32) }), 'forbidden');
  assert.equal(typeof node.prove(stranger, 'state', { namespace: 'rbac', key: stranger.id }), 'object');
  assert.equal((node.query(owner) as unknown[]).length, 1);
});

test('who has left a column with retention goes on reading what was there, and nothing newer', () => {
  const node = found(owner, groupManifest());
  node.send(admin, 'Message', 'old');
  node.send(alice, 'Move', join(alice, 'MEMBER', 'OUTSIDER'));
  node.send(admin, 'Message', 'new');
  const seen = (node.query(alice) as { seq: number; type: string }[]).map(({ seq }) => seq);
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(
    (node.query(alice, { type: 'Message' }) as { seq: number }[]).map(({ seq }) => seq),
    [1],
  );
});

test('Pull shows what R or P allows, Query what R allows', () => {
  const node = found(owner, groupManifest());
  node.send(admin, 'Gate', { alias: 'polls', open: true });
  node.send(admin, 'Poll', 'tea?');
  assert.deepEqual((node.query(alice, { type: 'Poll' }) as unknown[]).length, 0);
  assert.equal((node.query(alice, {}, true) as { type: string }[]).filter(({ type }) => type === 'Poll').length, 1);
});

function publicRequest(node: TestNode, kind: number): Uint8Array {
  const bytes = new Uint8Array(160);
  viewOf(bytes).setUint32(0, 160, true);
  bytes[6] = kind;
  bytes.set(unhex(node.enclave), 8);
  return bytes;
}

function sthRequest(node: TestNode): Uint8Array {
  return publicRequest(node, REQUEST_STH);
}

function spanRequest(node: TestNode, from: number, to: number): Uint8Array {
  const bytes = publicRequest(node, REQUEST_CONSISTENCY);
  viewOf(bytes).setBigInt64(144, BigInt(from), true);
  viewOf(bytes).setBigInt64(152, BigInt(to), true);
  return bytes;
}

function rootOf(node: TestNode, size: number): Uint8Array {
  const record = node.log.closings[size - 1];
  return record === undefined ? EMPTY_HASH : readClosingRecord(record).ctRoot;
}
