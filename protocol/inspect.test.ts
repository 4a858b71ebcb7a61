import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IC_ALG, IC_ECDSA, IC_ENCLAVE_OK, IC_ERASED, IC_HASH_OK, IC_TAGS, IC_TARGET, type InspectMode, REQUEST_BUNDLE, REQUEST_INCLUSION, REQUEST_PULL, REQUEST_STATE_BATCH, TYPES } from '../kernel/kernel.ts';
import { concat, MAX_INTEGER, utf8 } from './bytes.ts';
import { commitJson, enclaveIdOf, signCommit } from './commit.ts';
import { errorOf } from './errors.ts';
import { eventJson, signEvent } from './event.ts';
import { type Filter, parseFilter } from './filter.ts';
import { contentHash, keySeed, sha256, ZERO64 } from './hash.ts';
import { type EnclaveId, hex32, type Hash32, type PublicKey, toHex, unhex } from './hex.ts';
import { DEFAULT_LIMITS, inspectBody, typeNumber } from './inspect.ts';
import { canonical, type Json, toJson } from './json.ts';
import { receiptJson, receiptOfEvent } from './receipt.ts';
import { algOf, buildClosingRecord, buildEventRecord, eventOf, type EventRecord, readClosingRecord, readCommitRecord, readEventRecord, receiptOf, splitRecords } from './records.ts';
import { readRequest, requestCode } from './requests.ts';
import { encodeKvKey } from './smt-keys.ts';
import { noble } from './secp.ts';

const SECRET = sha256(utf8('author'));
const FROM = hex32<PublicKey>(noble.publicKey(SECRET) as Uint8Array);
const ENCLAVE = hex32<EnclaveId>(sha256(utf8('enclave')));
const OTHER = sha256(utf8('other'));
const SESSION = '00'.repeat(68);
const COMMIT = signCommit({ enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99 }, SECRET);
const TEXT = commitJson(COMMIT);

/** The code of the body, or of the one record in it. */
function codeOf(body: string | Uint8Array, mode: InspectMode = 'post', enclave?: Uint8Array): string {
  const result = inspectBody(typeof body === 'string' ? utf8(body) : body, mode, enclave);
  const code = result.kind === 'error' ? result.code : requestCode(result.bytes);
  if (result.kind === 'error') assert.deepEqual([result.bytes.length, result.count], [0, 0]);
  else if (code !== 0) assert.equal(result.bytes.length, 16);
  return code === 0 ? `ok ${result.kind}` : `${errorOf(code).code}${result.kind === 'error' ? '' : ` ${result.kind}`}`;
}

const json = (value: object): string => canonical(toJson(value));
const query = (filter: unknown): string => json({ type: 'Query', enclave: ENCLAVE, from: FROM, session: SESSION, filter });

test('bodies that are neither commit nor request', () => {
  assert.equal(codeOf(''), 'invalid_json');
  assert.equal(codeOf('{"exp":1.5}'), 'invalid_json');
  for (const body of ['1', 'null', '"x"', '{}', '{"type":"Nothing"}', '{"type":1}', '{"type":"toString"}', '{"type":"Inclusion"}']) assert.equal(codeOf(body), 'invalid_commit', body);
  for (const mode of ['inclusion', 'bundle', 'state', 'state-batch', 'snapshot'] as const) {
    assert.equal(codeOf('[]', mode), 'invalid_commit');
    assert.equal(codeOf('x', mode), 'invalid_json');
  }
  assert.equal(codeOf('{"exp":1}'), 'invalid_commit commit');
});

test('an array answers for each element; one bad byte spoils all, one bad commit itself only', () => {
  const result = inspectBody(utf8(` [${TEXT} , 5 ,\n{}, ${TEXT}]`), 'post');
  assert.equal(result.kind, 'array');
  const records = [...splitRecords(result.bytes)].map(readCommitRecord);
  assert.deepEqual(records.map((record) => record.code), [0, 2, 2, 0]);
  assert.deepEqual(records.map((record) => record.textLength), [TEXT.length + 1, 1, 2, TEXT.length + 1]);
  assert.equal(records[0]?.textStart, 2);
  assert.equal(codeOf(`[${TEXT},]`), 'invalid_json');
  const empty = inspectBody(utf8('[]'), 'post');
  assert.deepEqual([empty.kind, empty.count, empty.bytes.length], ['array', 0, 0]);
});

test('limits: array length for the body, text length for the commit', () => {
  const many = (count: number): string => `[${Array(count).fill('1').join(',')}]`;
  assert.equal(inspectBody(utf8(many(1000)), 'post').count, 1000);
  assert.equal(codeOf(many(1001)), 'too_large');
  assert.equal(codeOf(`${many(1001)}x`), 'invalid_json');
  const limits = { ...DEFAULT_LIMITS, maxCommit: TEXT.length };
  const result = inspectBody(utf8(`[${TEXT},{"exp":1}]`), 'post', undefined, limits);
  const [first, second] = [...splitRecords(result.bytes)].map(readCommitRecord);
  assert.deepEqual([first?.code, second?.code], [30, 2]);
  assert.equal(first?.textLength, TEXT.length + 1);
});

test('an inspected commit holds all of the commit, canonical', () => {
  const commit = signCommit({ enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99, tags: [['t', 'x']], alg: 'ecdsa' }, SECRET);
  const record = readCommitRecord(inspectBody(utf8(JSON.stringify({ ...commit, content: { z: 1, a: 'é' } })), 'post').bytes);
  assert.equal(record.flags, IC_TAGS | IC_ALG | IC_ECDSA | IC_HASH_OK);
  assert.deepEqual([record.typeNumber, record.type, record.exp, record.tags], [0, 'Chat', 99, '[["t","x"]]']);
  assert.equal(new TextDecoder().decode(record.content), '{"a":"é","z":1}');
  for (const [field, hex] of [['enclave', ENCLAVE], ['from', FROM], ['hash', commit.hash], ['sig', commit.sig]] as const) assert.equal(toHex(record[field]), hex);
  assert.deepEqual(record.contentHash, contentHash(commit.content));
  assert.equal(algOf(record.flags), 'ecdsa');
});

test('a hash that is not that of the fields is noticed, and the computed one kept', () => {
  const record = readCommitRecord(inspectBody(utf8(TEXT.replace('"exp":99', '"exp":98')), 'post').bytes);
  assert.equal(record.flags & IC_HASH_OK, 0);
  assert.notEqual(toHex(record.hash), COMMIT.hash);
});

test('the enclave of the path completes a commit and must not differ', () => {
  const without = TEXT.replace(`"enclave":"${ENCLAVE}",`, '');
  assert.equal(codeOf(without), 'invalid_commit commit');
  const record = readCommitRecord(inspectBody(utf8(without), 'post', unhex(ENCLAVE)).bytes);
  assert.equal(record.flags, IC_HASH_OK);
  assert.equal(codeOf(TEXT, 'post', OTHER), 'invalid_commit commit');
});

test('targets: identities and event ids, and of a Manifest its key seed', () => {
  const target = (type: string, content: unknown): [number, string] => {
    const record = readCommitRecord(inspectBody(utf8(commitJson(signCommit({ enclave: ENCLAVE, type, content: toJson(content), exp: 1 }, SECRET))), 'post').bytes);
    return [record.flags & IC_TARGET, toHex(record.target)];
  };
  const id = toHex(OTHER);
  for (const type of ['Move', 'Grant', 'Revoke', 'Transfer', 'Update', 'Delete']) {
    assert.deepEqual(target(type, { target: id }), [IC_TARGET, id], type);
    for (const bad of [{}, { target: id.toUpperCase() }, { target: 1 }, [], id]) assert.deepEqual(target(type, bad), [0, '0'.repeat(64)]);
  }
  for (const type of ['Shared', 'Chat', 'Pause', 'AC_Bundle']) assert.deepEqual(target(type, { target: id }), [0, '0'.repeat(64)]);
  const content = toJson({ enc_v: 2, sequencer: id });
  assert.deepEqual(target('Manifest', { enc_v: 2, sequencer: id }), [IC_TARGET, toHex(keySeed(unhex(FROM), content, []))]);
  assert.deepEqual(target('Manifest', { enc_v: 2 }), target('Manifest', { enc_v: 2, sequencer: 1 }));
});

test('a Manifest under its own id is marked so', () => {
  const content = toJson({ enc_v: 2 });
  const flags = (enclave: EnclaveId): number => readCommitRecord(inspectBody(utf8(commitJson(signCommit({ enclave, type: 'Manifest', content, exp: 1 }, SECRET))), 'post').bytes).flags;
  assert.equal(flags(enclaveIdOf(FROM, content)) & IC_ENCLAVE_OK, IC_ENCLAVE_OK);
  assert.equal(flags(ENCLAVE) & IC_ENCLAVE_OK, 0);
});

test('type numbers follow the contract, other names are customs', () => {
  for (const [i, name] of TYPES.entries()) if (i > 0) assert.equal(typeNumber(name), i);
  for (const name of ['', 'move', 'Moves', 'Chat', 'constructor']) assert.equal(typeNumber(name), 0);
});

test('erased content is for snapshots only', () => {
  const erased = commitJson({ ...COMMIT, content: null, content_hash: hex32<Hash32>(contentHash(COMMIT.content)) });
  assert.equal(codeOf(erased), 'invalid_commit commit');
  const record = readCommitRecord(inspectBody(utf8(erased), 'snapshot').bytes);
  assert.equal(record.flags, IC_ERASED | IC_HASH_OK);
  assert.equal(record.content.length, 0);
  assert.equal(codeOf(erased.replace('"content":null', '"content":1'), 'snapshot'), 'invalid_commit commit');
});

test('requests: envelope before session before parameters', () => {
  const good = { type: 'Query', enclave: ENCLAVE, from: FROM, session: SESSION, filter: {} };
  assert.equal(codeOf(json(good)), 'ok request');
  const { enclave: _e, ...noEnclave } = good;
  const { session: _s, ...noSession } = good;
  const { filter: _f, ...noFilter } = good;
  for (const bad of [noEnclave, { ...good, from: 'x' }, { ...good, extra: 1 }, { ...good, enclave: 5 }, { ...good, encrypted: 'x' }, { ...good, extra: 1, session: '', filter: 1 }]) {
    assert.equal(codeOf(json(bad)), 'invalid_commit request');
  }
  assert.equal(codeOf(json(noEnclave), 'post', unhex(ENCLAVE)), 'ok request');
  assert.equal(codeOf(json(good), 'post', OTHER), 'invalid_commit request');
  for (const bad of [noSession, { ...good, session: SESSION.slice(2) }, { ...good, session: null, filter: 1 }]) assert.equal(codeOf(json(bad)), 'invalid_session request');
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
  for (const bad of [{ type: 'Sequencer', from: FROM }, { type: 'Sequencer', content }, { type: 'Sequencer', from: FROM, content, tags: 1 }, { type: 'Sequencer', from: FROM, content, enclave: ENCLAVE }]) {
    assert.equal(codeOf(json(bad)), 'invalid_commit request');
  }
});

test('filters out of shape or range are refused', () => {
  const hundred = (value: Json): Json[] => Array(101).fill(value);
  const bad: unknown[] = [
    null, [], 'x', { x: 1 }, { id: 'x' }, { id: [] }, { id: ENCLAVE.toUpperCase() }, { id: hundred(ENCLAVE) }, { from: 5 }, { from: [ENCLAVE, 'x'] }, { type: '' }, { type: ['a b'] }, { type: hundred('a') },
    { seq: -1 }, { seq: '1' }, { seq: [] }, { seq: [1, null] }, { seq: hundred(1) }, { seq: { start_at: 1, start_after: 1 } }, { seq: { end_at: 1, end_before: 1 } }, { seq: { start: 1 } }, { seq: { start_at: null } },
    { timestamp: -1 }, { timestamp: true }, { tags: [] }, { tags: { a: false } }, { tags: { a: [] } }, { tags: { a: 1 } }, { tags: { a: ['x'.repeat(257)] } }, { tags: { ['x'.repeat(257)]: true } }, { tags: { a: hundred('x') } },
    { lane: -1 }, { lane: 2 ** 32 }, { lane: '0' }, { limit: 0 }, { limit: 1001 }, { limit: null }, { reverse: 1 }, { reverse: null },
  ];
  for (const filter of bad) assert.equal(codeOf(query(filter)), 'invalid_filter request', JSON.stringify(filter));
});

test('every filter survives its binary form', () => {
  const id = toHex(OTHER);
  const good: unknown[] = [
    {}, { id }, { id: [id, ENCLAVE] }, { from: [FROM] }, { type: ['Chat', 'x'.repeat(64)] }, { seq: 0 }, { seq: [3, MAX_INTEGER] }, { seq: { start_after: -1 } }, { timestamp: { start_at: 5, end_before: 9 } },
    { seq: { start_after: MAX_INTEGER } }, { seq: { end_before: -MAX_INTEGER } }, { seq: {} }, { tags: {} }, { tags: { _p: ['a', ''], t: true, é: 'ü' } }, { lane: 0 }, { lane: 2 ** 32 - 1 }, { limit: 1 }, { limit: 1000, reverse: true },
    { id, from: FROM, type: 'Chat', seq: [1], timestamp: [2, 3], tags: { a: ['b'] }, lane: 3, limit: 7, reverse: false },
  ];
  for (const plain of good) {
    const request = readRequest(inspectBody(utf8(query(plain)), 'post').bytes);
    assert.ok('filter' in request);
    assert.deepEqual(request.filter, parseFilter(toJson(plain)), JSON.stringify(plain));
  }
});

test('Pull is a filter behind a seq', () => {
  const pull = (more: object): string => json({ type: 'Pull', enclave: ENCLAVE, from: FROM, session: SESSION, ...more });
  for (const bad of [{ after_seq: -2 }, { after_seq: '1' }, { after_seq: null }, { limit: 0 }, { limit: 1001 }]) assert.equal(codeOf(pull(bad)), 'invalid_filter request');
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
  for (const bad of [{}, { seq: 1, id: ENCLAVE }, { seq: -1 }, { seq: null }, { id: 'x' }, { seq: 1, ts: -1 }, { seq: 1, ts: null }, { leaf_index: '1' }]) {
    assert.equal(codeOf(json({ ...envelope, ...bad }), 'inclusion'), 'invalid_filter request', JSON.stringify(bad));
  }
  assert.equal(codeOf(json({ ...envelope, leaf_index: 1 }), 'bundle'), 'invalid_commit request');
  assert.equal(codeOf(json({ ...envelope, seq: 1, ts: 1 }), 'bundle'), 'invalid_commit request');
  const inclusion = readRequest(inspectBody(utf8(json({ ...envelope, leaf_index: 3, ts: 0 })), 'inclusion').bytes);
  assert.deepEqual([inclusion.kind, (inclusion as { by: unknown }).by, (inclusion as { ts: unknown }).ts], [REQUEST_INCLUSION, { by: 'leaf_index', n: 3 }, 0]);
  const bundle = readRequest(inspectBody(utf8(json({ ...envelope, id: ENCLAVE, type: 'Bundle' })), 'bundle').bytes);
  assert.deepEqual([bundle.kind, (bundle as { by: unknown }).by, (bundle as { ts: unknown }).ts], [REQUEST_BUNDLE, { by: 'id', id: unhex(ENCLAVE) }, null]);
});

test('state requests take raw keys in hex', () => {
  const envelope = { enclave: ENCLAVE, from: FROM, session: SESSION };
  const kv = toHex(encodeKvKey({ kind: 'shared', key: 'topic' }));
  const bad = [{}, { namespace: 'rbac' }, { key: ENCLAVE }, { namespace: 'RBAC', key: ENCLAVE }, { namespace: 0, key: ENCLAVE }, { namespace: 'rbac', key: kv }, { namespace: 'kv', key: 'x' }, { namespace: 'kv', key: '0' }, { namespace: 'kv', key: '00'.repeat(1025) }, { namespace: 'rbac', key: [ENCLAVE] }];
  for (const more of bad) assert.equal(codeOf(json({ ...envelope, ...more }), 'state'), 'invalid_filter request', JSON.stringify(more));
  assert.equal(codeOf(json({ ...envelope, namespace: 'kv', keys: [kv] }), 'state'), 'invalid_commit request');
  assert.equal(codeOf(json({ ...envelope, namespace: 'kv', keys: Array(257).fill(kv) }), 'state-batch'), 'invalid_filter request');
  assert.equal(codeOf(json({ ...envelope, namespace: 'kv', keys: kv }), 'state-batch'), 'invalid_filter request');
  const batch = readRequest(inspectBody(utf8(json({ ...envelope, namespace: 'kv', keys: Array(256).fill(kv) })), 'state-batch').bytes);
  assert.ok(batch.kind === REQUEST_STATE_BATCH && 'keys' in batch);
  assert.deepEqual([batch.namespace, batch.keys.length, batch.keys[255]], [2, 256, unhex(kv)]);
});

test('an event goes through its record unchanged, and so does its receipt', () => {
  const commit = signCommit({ enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99, tags: [['t', 'x']], alg: 'schnorr' }, SECRET);
  for (const place of [{ seq: 3, timestamp: 50 }, { seq: 3, timestamp: 50, lane: 2, ctl: 9 }]) {
    const event = signEvent(commit, place, OTHER);
    const ic = readCommitRecord(inspectBody(utf8(commitJson(commit)), 'post').bytes);
    const fields: EventRecord = {
      ...{ flags: ic.flags & ~IC_HASH_OK, typeNumber: ic.typeNumber, seq: 3, timestamp: 50, exp: ic.exp, ctl: event.ctl ?? 0, lane: event.lane ?? 0, contentLength: ic.content.length },
      ...{ id: unhex(event.id), hash: ic.hash, from: ic.from, sig: ic.sig, seqSig: unhex(event.seq_sig), contentHash: ic.contentHash, target: ic.target, sequencer: unhex(event.sequencer) },
      ...{ type: ic.type, tags: ic.tags },
    };
    const record = buildEventRecord(fields);
    assert.deepEqual(readEventRecord(record), fields);
    assert.equal(eventOf(unhex(ENCLAVE), record, ic.content), eventJson(event));
    assert.equal(receiptOf(unhex(ENCLAVE), record), receiptJson(receiptOfEvent(event)));
    const gone = buildEventRecord({ ...fields, flags: fields.flags | IC_ERASED, contentLength: 0 });
    const erased = { ...event, content: null, content_hash: hex32<Hash32>(ic.contentHash), status: 'deleted' } as const;
    assert.equal(eventOf(unhex(ENCLAVE), gone, new Uint8Array(0), 'deleted'), eventJson(erased));
  }
});

test('records of another kind, a newer format or a wrong length are refused', () => {
  const closing = { genesis: false, index: 5, firstSeq: 9, size: 4, lane: 0, t: 77, eventsRoot: OTHER, stateHash: OTHER, ctLeaf: OTHER, ctRoot: OTHER, sthSig: ZERO64, sequencer: OTHER, nodes: [OTHER, unhex(ENCLAVE)] };
  const record = buildClosingRecord(closing);
  assert.deepEqual(readClosingRecord(record), closing);
  assert.deepEqual(readClosingRecord(buildClosingRecord({ ...closing, genesis: true, nodes: [] })).genesis, true);
  assert.throws(() => readEventRecord(record), RangeError);
  assert.throws(() => readClosingRecord(record.with(7, 2)), RangeError);
  assert.throws(() => [...splitRecords(record.subarray(0, record.length - 8))], RangeError);
  assert.throws(() => [...splitRecords(new Uint8Array(8))], RangeError);
  assert.throws(() => [...splitRecords(concat(record, new Uint8Array(4)))], RangeError);
});
