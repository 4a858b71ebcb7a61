import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from './json.ts';
import { readManifest } from './manifest.ts';
import { authorizeLifecycle, type Status, statusRefusal } from './rules-lifecycle.ts';

const ID = 'ab'.repeat(32);
const init = [{ identity: ID, state: 'OWNER', traits: [] }];
const position = () => ({ head: 7, ctRoot: ID });

function rights(rbac: Record<string, unknown>) {
  const result = readManifest(toJson({ enc_v: 2, RBAC: { states: ['OWNER'], init, ...rbac } }));
  assert.ok(result.ok);
  const { manifest } = result;
  return (type: 'Pause' | 'Resume' | 'Terminate', bits: number, status: Status = 'active') =>
    authorizeLifecycle(manifest, bits, { type }, status, position);
}

test('without rows: holders of a rank-0 trait, or OWNER if there is no such trait', () => {
  const owners = rights({ traits: ['high(1)'] });
  assert.equal(owners('Pause', 1), null);
  assert.equal(owners('Pause', 0x100), 'forbidden');
  const roots = rights({ traits: ['root(0)', 'high(1)'] });
  assert.equal(roots('Pause', 1), 'forbidden');
  assert.equal(roots('Pause', 0x100), null);
  assert.equal(roots('Pause', 0x200), 'forbidden');
});

test('a row that names the event takes the default right away, for that event only', () => {
  const ask = rights({ traits: ['root(0)', 'high(1)'], lifecycle: [{ event: 'Pause', operator: 'high', ops: ['C'] }] });
  assert.equal(ask('Pause', 0x200), null);
  assert.equal(ask('Pause', 0x100), 'forbidden');
  assert.equal(ask('Terminate', 0x100), null);
  assert.equal(ask('Terminate', 0x200), 'forbidden');
});

test('Resume changes only what is paused, and is forbidden before it is idle', () => {
  const ask = rights({});
  assert.equal(ask('Resume', 1, 'paused'), null);
  assert.equal(ask('Resume', 1), 'no_change');
  assert.equal(ask('Resume', 0), 'forbidden');
});

test('Migrate names the head and the CT root', () => {
  const result = readManifest(toJson({ enc_v: 2, RBAC: { states: ['OWNER'], init } }));
  assert.ok(result.ok);
  const { manifest } = result;
  const ask = (bits: number, prevSeq: number, ctRoot: string) =>
    authorizeLifecycle(manifest, bits, { type: 'Migrate', newSequencer: ID, prevSeq, ctRoot }, 'paused', position);
  assert.equal(ask(1, 7, ID), null);
  assert.equal(ask(1, 6, ID), 'state_mismatch');
  assert.equal(ask(1, 7, 'cd'.repeat(32)), 'state_mismatch');
  assert.equal(ask(0, 6, ID), 'forbidden');
});

test('what passes in which status', () => {
  assert.equal(statusRefusal('active', 'Message'), null);
  for (const type of ['Resume', 'Terminate', 'Migrate']) assert.equal(statusRefusal('paused', type), null);
  for (const type of ['Message', 'Pause', 'Move', 'Delete', 'Manifest'])
    assert.equal(statusRefusal('paused', type), 'enclave_paused');
  for (const type of ['Message', 'Resume', 'Terminate']) {
    assert.equal(statusRefusal('terminated', type), 'enclave_terminated');
    assert.equal(statusRefusal('migrated', type), 'enclave_migrated');
  }
});
