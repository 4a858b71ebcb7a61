import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_INTEGER, utf8 } from './bytes.ts';
import { commitJson, signCommit } from './commit.ts';
import { errorOf } from './errors.ts';
import { type Filter, parseFilter } from './filter.ts';
import { keySeed, sha256 } from './hash.ts';
import { type EnclaveId, hex32, type PublicKey, toHex, unhex } from './hex.ts';
import { inspectBody } from './inspect.ts';
import { canonical, type Json, toJson } from './json.ts';
import { type InspectMode, REQUEST_BUNDLE, REQUEST_INCLUSION, REQUEST_PULL, REQUEST_STATE_BATCH } from './layout.ts';
import { readRequest, requestCode } from './requests.ts';
import { noble } from './secp.ts';
import { encodeKvKey } from './smt-keys.ts';

const SECRET = sha256(utf8('author'));
const FROM = hex32<PublicKey>(noble.publicKey(SECRET) as Uint8Array);
const ENCLAVE = hex32<EnclaveId>(sha256(utf8('enclave')));
const OTHER = sha256(utf8('other'));
const SESSION = '00'.repeat(68);
const COMMIT = signCommit({ enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99 }, SECRET);
const _TEXT = commitJson(COMMIT);

/** The code of the body, or of the one record in it. */
function codeOf(body: string | Uint8Array, mode: InspectMode = 'post', enclave?: Uint8Array): string {
  const result = inspectBody(typeof body === 'string' ? utf8(body) : body, mode, enclave);
  const code = result.kind === 'error' ? result.code : requestCode(result.bytes);
  if (result.kind === 'error') assert.deepEqual([result.bytes.length, result.count], [0, 0]);
  else if (code !== 0) assert.equal(result.bytes.length, 16);
  return code === 0 ? `ok ${result.kind}` : `${errorOf(code).code}${result.kind === 'error' ? '' : ` ${result.kind}`}`;
}

const json = (value: object): string => canonical(toJson(value));
const query = (filter: unknown): string =>
  json({ type: 'Query', enclave: ENCLAVE, from: FROM, session: SESSION, filter });

test('requests: envelope before session before parameters', () => {
  const good = { type: 'Query', enclave: ENCLAVE, from: FROM, session: SESSION, filter: {} };
  assert.equal(codeOf(json(good)), 'ok request');
  const { enclave: _e, ...noEnclave } = good;
  const { session: _s, ...noSession } = good;
  const { filter: _f, ...noFilter } = good;
  for (const bad of [
    noEnclave,
    { ...good, from: 'x' },
    { ...good, extra: 1 },
    { ...good, enclave: 5 },
    { ...good, encrypted: 'x' },
    { ...good, extra: 1, session: '', filter: 1 },
  ]) {
    assert.equal(codeOf(json(bad)), 'invalid_commit request');
  }
  assert.equal(codeOf(json(noEnclave), 'post', unhex(ENCLAVE)), 'ok request');
  assert.equal(codeOf(json(good), 'post', OTHER), 'invalid_commit request');
  for (const bad of [noSession, { ...good, session: SESSION.slice(2) }, { ...good, session: null, filter: 1 }])
    assert.equal(codeOf(json(bad)), 'invalid_session request');
  assert.equal(codeOf(json(noFilter)), 'invalid_filter request');
  assert.equal(codeOf(json({ type: 'Info', enclave: ENCLAVE })), 'ok request');
  assert.equal(codeOf(json({ type: 'Info', enclave: ENCLAVE, session: SESSION })), 'invalid_commit request');
});

test('Sequencer answers with the key seed', () => {
  const content = { enc_v: 2, sequencer: 'x', RBAC: {} };
  const result = inspectBody(utf8(json({ type: 'Sequencer', from: FROM, content, tags: [['a']] })), 'post');
  const request = readRequest(result.bytes);
  assert.ok('seed' in request);
  assert.deepEqual(request.seed, keySeed(unhex(FROM), toJson(content), [['a']]));
  for (const bad of [
    { type: 'Sequencer', from: FROM },
    { type: 'Sequencer', content },
    { type: 'Sequencer', from: FROM, content, tags: 1 },
    { type: 'Sequencer', from: FROM, content, enclave: ENCLAVE },
  ]) {
    assert.equal(codeOf(json(bad)), 'invalid_commit request');
  }
});

test('filters out of shape or range are refused', () => {
  const hundred = (value: Json): Json[] => Array(101).fill(value);
  const bad: unknown[] = [
    null,
    [],
    'x',
    { x: 1 },
    { id: 'x' },
    { id: [] },
    { id: ENCLAVE.toUpperCase() },
    { id: hundred(ENCLAVE) },
    { from: 5 },
    { from: [ENCLAVE, 'x'] },
    { type: '' },
    { type: ['a b'] },
    { type: hundred('a') },
    { seq: -1 },
    { seq: '1' },
    { seq: [] },
    { seq: [1, null] },
    { seq: hundred(1) },
    { seq: { start_at: 1, start_after: 1 } },
    { seq: { end_at: 1, end_before: 1 } },
    { seq: { start: 1 } },
    { seq: { start_at: null } },
    { timestamp: -1 },
    { timestamp: true },
    { tags: [] },
    { tags: { a: false } },
    { tags: { a: [] } },
    { tags: { a: 1 } },
    { tags: { a: ['x'.repeat(257)] } },
    { tags: { ['x'.repeat(257)]: true } },
    { tags: { a: hundred('x') } },
    { lane: -1 },
    { lane: 2 ** 32 },
    { lane: '0' },
    { limit: 0 },
    { limit: 1001 },
    { limit: null },
    { reverse: 1 },
    { reverse: null },
  ];
  for (const filter of bad) assert.equal(codeOf(query(filter)), 'invalid_filter request', JSON.stringify(filter));
});

test('every filter survives its binary form', () => {
  const id = toHex(OTHER);
  const good: unknown[] = [
    {},
    { id },
    { id: [id, ENCLAVE] },
    { from: [FROM] },
    { type: ['Chat', 'x'.repeat(64)] },
    { seq: 0 },
    { seq: [3, MAX_INTEGER] },
    { seq: { start_after: -1 } },
    { timestamp: { start_at: 5, end_before: 9 } },
    { seq: { start_after: MAX_INTEGER } },
    { seq: { end_before: -MAX_INTEGER } },
    { seq: {} },
    { tags: {} },
    { tags: { _p: ['a', ''], t: true, é: 'ü' } },
    { lane: 0 },
    { lane: 2 ** 32 - 1 },
    { limit: 1 },
    { limit: 1000, reverse: true },
    {
      id,
      from: FROM,
      type: 'Chat',
      seq: [1],
      timestamp: [2, 3],
      tags: { a: ['b'] },
      lane: 3,
      limit: 7,
      reverse: false,
    },
  ];
  for (const plain of good) {
    const request = readRequest(inspectBody(utf8(query(plain)), 'post').bytes);
    assert.ok('filter' in request);
    assert.deepEqual(request.filter, parseFilter(toJson(plain)), JSON.stringify(plain));
  }
});

test('Pull is a filter behind a seq', () => {
  const pull = (more: object): string =>
    json({ type: 'Pull', enclave: ENCLAVE, from: FROM, session: SESSION, ...more });
  for (const bad of [{ after_seq: -2 }, { after_seq: '1' }, { after_seq: null }, { limit: 0 }, { limit: 1001 }])
    assert.equal(codeOf(pull(bad)), 'invalid_filter request');
  assert.equal(codeOf(pull({ filter: {} })), 'invalid_commit request');
  const filterOf = (more: object): Filter => {
    const request = readRequest(inspectBody(utf8(pull(more)), 'post').bytes);
    assert.equal(request.kind, REQUEST_PULL);
    return (request as { filter: Filter }).filter;
  };
  assert.deepEqual(filterOf({}), parseFilter(toJson({ seq: { start_after: -1 } })));
  assert.deepEqual(filterOf({ after_seq: 41, limit: 5 }), parseFilter(toJson({ seq: { start_after: 41 }, limit: 5 })));
});

test('proof requests name exactly one subject', () => {
  const envelope = { enclave: ENCLAVE, from: FROM, session: SESSION };
  for (const bad of [
    {},
    { seq: 1, id: ENCLAVE },
    { seq: -1 },
    { seq: null },
    { id: 'x' },
    { seq: 1, ts: -1 },
    { seq: 1, ts: null },
    { leaf_index: '1' },
  ]) {
    assert.equal(codeOf(json({ ...envelope, ...bad }), 'inclusion'), 'invalid_filter request', JSON.stringify(bad));
  }
  assert.equal(codeOf(json({ ...envelope, leaf_index: 1 }), 'bundle'), 'invalid_commit request');
  assert.equal(codeOf(json({ ...envelope, seq: 1, ts: 1 }), 'bundle'), 'invalid_commit request');
  const inclusion = readRequest(inspectBody(utf8(json({ ...envelope, leaf_index: 3, ts: 0 })), 'inclusion').bytes);
  assert.deepEqual(
    [inclusion.kind, (inclusion as { by: unknown }).by, (inclusion as { ts: unknown }).ts],
    [REQUEST_INCLUSION, { by: 'leaf_index', n: 3 }, 0],
  );
  const bundle = readRequest(inspectBody(utf8(json({ ...envelope, id: ENCLAVE, type: 'Bundle' })), 'bundle').bytes);
  assert.deepEqual(
    [bundle.kind, (bundle as { by: unknown }).by, (bundle as { ts: unknown }).ts],
    [REQUEST_BUNDLE, { by: 'id', id: unhex(ENCLAVE) }, null],
  );
});

test('state requests take raw keys in hex', () => {
  const envelope = { enclave: ENCLAVE, from: FROM, session: SESSION };
  const kv = toHex(encodeKvKey({ kind: 'shared', key: 'topic' }));
  const bad = [
    {},
    { namespace: 'rbac' },
    { key: ENCLAVE },
    { namespace: 'RBAC', key: ENCLAVE },
    { namespace: 0, key: ENCLAVE },
    { namespace: 'rbac', key: kv },
    { namespace: 'kv', key: 'x' },
    { namespace: 'kv', key: '0' },
    { namespace: 'kv', key: '00'.repeat(1025) },
    { namespace: 'rbac', key: [ENCLAVE] },
  ];
  for (const more of bad)
    assert.equal(codeOf(json({ ...envelope, ...more }), 'state'), 'invalid_filter request', JSON.stringify(more));
  assert.equal(codeOf(json({ ...envelope, namespace: 'kv', keys: [kv] }), 'state'), 'invalid_commit request');
  assert.equal(
    codeOf(json({ ...envelope, namespace: 'kv', keys: Array(257).fill(kv) }), 'state-batch'),
    'invalid_filter request',
  );
  assert.equal(codeOf(json({ ...envelope, namespace: 'kv', keys: kv }), 'state-batch'), 'invalid_filter request');
  const batch = readRequest(
    inspectBody(utf8(json({ ...envelope, namespace: 'kv', keys: Array(256).fill(kv) })), 'state-batch').bytes,
  );
  assert.ok(batch.kind === REQUEST_STATE_BATCH && 'keys' in batch);
  assert.deepEqual([batch.namespace, batch.keys.length, batch.keys[255]], [2, 256, unhex(kv)]);
});
