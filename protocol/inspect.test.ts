import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from './bytes.ts';
import { commitJson, enclaveIdOf, signCommit } from './commit.ts';
import { errorOf } from './errors.ts';
import { contentHash, keySeed, sha256 } from './hash.ts';
import { type EnclaveId, type Hash32, hex32, type PublicKey, toHex, unhex } from './hex.ts';
import { DEFAULT_LIMITS, inspectBody, typeNumber } from './inspect.ts';
import { canonical, toJson } from './json.ts';
import {
  IC_ALG,
  IC_ECDSA,
  IC_ENCLAVE_OK,
  IC_ERASED,
  IC_HASH_OK,
  IC_TAGS,
  IC_TARGET,
  type InspectMode,
  TYPES,
} from './layout.ts';
import { algOf, readCommitRecord, splitRecords } from './records.ts';
import { requestCode } from './requests.ts';
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
const _query = (filter: unknown): string =>
  json({ type: 'Query', enclave: ENCLAVE, from: FROM, session: SESSION, filter });

test('bodies that are neither commit nor request', () => {
  assert.equal(codeOf(''), 'invalid_json');
  assert.equal(codeOf('{"exp":1.5}'), 'invalid_json');
  for (const body of [
    '1',
    'null',
    '"x"',
    '{}',
    '{"type":"Nothing"}',
    '{"type":1}',
    '{"type":"toString"}',
    '{"type":"Inclusion"}',
  ])
    assert.equal(codeOf(body), 'invalid_commit', body);
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
  assert.deepEqual(
    records.map((record) => record.code),
    [0, 2, 2, 0],
  );
  assert.deepEqual(
    records.map((record) => record.textLength),
    [TEXT.length + 1, 1, 2, TEXT.length + 1],
  );
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
  const commit = signCommit(
    { enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99, tags: [['t', 'x']], alg: 'ecdsa' },
    SECRET,
  );
  const record = readCommitRecord(
    inspectBody(utf8(JSON.stringify({ ...commit, content: { z: 1, a: 'é' } })), 'post').bytes,
  );
  assert.equal(record.flags, IC_TAGS | IC_ALG | IC_ECDSA | IC_HASH_OK);
  assert.deepEqual([record.typeNumber, record.type, record.exp, record.tags], [0, 'Chat', 99, '[["t","x"]]']);
  assert.equal(new TextDecoder().decode(record.content), '{"a":"é","z":1}');
  for (const [field, hex] of [
    ['enclave', ENCLAVE],
    ['from', FROM],
    ['hash', commit.hash],
    ['sig', commit.sig],
  ] as const)
    assert.equal(toHex(record[field]), hex);
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
    const record = readCommitRecord(
      inspectBody(
        utf8(commitJson(signCommit({ enclave: ENCLAVE, type, content: toJson(content), exp: 1 }, SECRET))),
        'post',
      ).bytes,
    );
    return [record.flags & IC_TARGET, toHex(record.target)];
  };
  const id = toHex(OTHER);
  for (const type of ['Move', 'Grant', 'Revoke', 'Transfer', 'Update', 'Delete']) {
    assert.deepEqual(target(type, { target: id }), [IC_TARGET, id], type);
    for (const bad of [{}, { target: id.toUpperCase() }, { target: 1 }, [], id])
      assert.deepEqual(target(type, bad), [0, '0'.repeat(64)]);
  }
  for (const type of ['Shared', 'Chat', 'Pause', 'AC_Bundle'])
    assert.deepEqual(target(type, { target: id }), [0, '0'.repeat(64)]);
  const content = toJson({ enc_v: 2, sequencer: id });
  assert.deepEqual(target('Manifest', { enc_v: 2, sequencer: id }), [
    IC_TARGET,
    toHex(keySeed(unhex(FROM), content, [])),
  ]);
  assert.deepEqual(target('Manifest', { enc_v: 2 }), target('Manifest', { enc_v: 2, sequencer: 1 }));
});

test('a Manifest under its own id is marked so', () => {
  const content = toJson({ enc_v: 2 });
  const flags = (enclave: EnclaveId): number =>
    readCommitRecord(
      inspectBody(utf8(commitJson(signCommit({ enclave, type: 'Manifest', content, exp: 1 }, SECRET))), 'post').bytes,
    ).flags;
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
