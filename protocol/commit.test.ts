import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from './bytes.ts';
import {
  type Commit,
  type CommitDraft,
  commitHashOf,
  commitJson,
  enclaveIdOf,
  parseCommit,
  signCommit,
  verifyCommit,
} from './commit.ts';
import { type Event, eventJson, parseEvent, signEvent, verifyEvent } from './event.ts';
import { contentHash, sha256 } from './hash.ts';
import { type EnclaveId, type Hash32, hex32, type PublicKey, toHex } from './hex.ts';
import { canonical, isObject, type Json, parseJson, toJson } from './json.ts';
import { parseReceipt, receiptJson, receiptOfEvent, verifyReceipt } from './receipt.ts';
import { noble } from './secp.ts';

const SECRET = sha256(utf8('author'));
const SEQUENCER = sha256(utf8('sequencer'));
const ENCLAVE = hex32<EnclaveId>(sha256(utf8('enclave')));
const DRAFT: CommitDraft = {
  enclave: ENCLAVE,
  type: 'Chat:Message',
  content: toJson({ b: 'ü', a: [1, null] }),
  exp: 1_700_000_060_000,
  tags: [['t', 'x']],
};
const COMMIT = signCommit(DRAFT, SECRET);
const EVENT = signEvent(COMMIT, { seq: 7, timestamp: 1_700_000_000_000 }, SEQUENCER);

function read(text: string): Json {
  const parsed = parseJson(utf8(text));
  assert.ok(parsed);
  return parsed.value;
}

/** The commit's JSON object with one field put or (undefined) taken out. */
function changed(base: string, key: string, value: Json | undefined): Json {
  const object = new Map(read(base) as ReadonlyMap<string, Json>);
  if (value === undefined) object.delete(key);
  else object.set(key, value);
  return object;
}

test('a commit with a missing, misshapen or unknown field is no commit', () => {
  const text = commitJson(COMMIT);
  for (const key of ['hash', 'enclave', 'from', 'type', 'content', 'exp', 'sig'])
    assert.equal(parseCommit(changed(text, key, undefined)), null, key);
  const long = 'x'.repeat(257);
  const bad: [string, Json][] = [
    ['hash', COMMIT.hash.toUpperCase()],
    ['hash', COMMIT.hash.slice(2)],
    ['hash', null],
    ['enclave', 5],
    ['enclave', null],
    ['from', `${COMMIT.from}00`],
    ['sig', COMMIT.hash],
    ['sig', ''],
    ['type', ''],
    ['type', 'x'.repeat(65)],
    ['type', 'a b'],
    ['type', 'ä'],
    ['type', 'a\n'],
    ['type', 1],
    ['exp', -1],
    ['exp', '1'],
    ['exp', null],
    ['alg', 'rsa'],
    ['alg', null],
    ['alg', ''],
    ['tags', null],
    ['tags', {} as never],
    ['tags', [[]]],
    ['tags', ['t']],
    ['tags', [[1]]],
    ['tags', [[long]]],
    ['tags', [['é'.repeat(129)]]],
    ['tags', [Array(9).fill('x')]],
    ['tags', Array(33).fill(['x'])],
    ['nonce', 1],
    ['content_hash', COMMIT.hash],
    ['__proto__', null],
    ['Type', 'x'],
  ];
  for (const [key, value] of bad)
    assert.equal(parseCommit(changed(text, key, value)), null, `${key} ${canonical(toJson(value))}`);
  for (const value of [null, [], 'x', 1, true]) assert.equal(parseCommit(value as Json), null);
});

test('limits of type and tags are inclusive', () => {
  const text = commitJson(COMMIT);
  const rows: [string, Json][] = [
    ['type', 'x'.repeat(64)],
    ['tags', []],
    ['tags', Array(32).fill(Array(8).fill('é'.repeat(128)))],
    ['alg', 'schnorr'],
    ['exp', 0],
  ];
  for (const [key, value] of rows) {
    assert.ok(parseCommit(changed(text, key, value)), key);
  }
});

test('the enclave of the path stands in for the field and must not differ', () => {
  const text = commitJson(COMMIT);
  const other = hex32<EnclaveId>(sha256(utf8('other')));
  assert.equal(parseCommit(changed(text, 'enclave', undefined), { enclave: ENCLAVE })?.enclave, ENCLAVE);
  assert.equal(parseCommit(read(text), { enclave: other }), null);
  assert.equal(parseCommit(changed(text, 'enclave', null), { enclave: ENCLAVE }), null);
});

test('every field is under the hash, and the hash under the signature', () => {
  const other = signCommit({ ...DRAFT, exp: 5 }, sha256(utf8('other')));
  const fields: Partial<Commit>[] = [
    { enclave: other.from as never },
    { from: other.from },
    { type: 'x' },
    { content: null },
    { exp: 1 },
    { tags: [] },
    { hash: other.hash },
  ];
  for (const field of fields)
    assert.equal(verifyCommit({ ...COMMIT, ...field }), 'invalid_hash', String(Object.keys(field)));
  assert.equal(verifyCommit({ ...COMMIT, sig: other.sig }), 'invalid_signature');
  assert.equal(verifyCommit({ ...COMMIT, alg: 'ecdsa' }), 'invalid_signature');
  assert.equal(verifyCommit(COMMIT), null);
});

test('ecdsa: low-S under 02 || from, whatever the parity of the key', () => {
  for (let i = 0; i < 8; i++) {
    const secret = sha256(utf8(`ecdsa ${i}`));
    const commit = signCommit({ ...DRAFT, alg: 'ecdsa' }, secret);
    assert.equal(verifyCommit(commit), null);
    const sig = BigInt(`0x${commit.sig.slice(64)}`);
    const high = (0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n - sig)
      .toString(16)
      .padStart(64, '0');
    assert.equal(verifyCommit({ ...commit, sig: (commit.sig.slice(0, 64) + high) as never }), 'invalid_signature');
  }
});

test('no verifier throws on malformed input', () => {
  const hash = new Uint8Array(32);
  for (const length of [0, 31, 33, 64]) {
    assert.equal(noble.verifySchnorr(new Uint8Array(length), hash, new Uint8Array(64)), false);
    assert.equal(noble.verifyEcdsa(new Uint8Array(length), hash, new Uint8Array(64)), false);
    assert.equal(noble.verifyEcdsa(hash, new Uint8Array(length === 32 ? 1 : length), new Uint8Array(length)), false);
    assert.equal(noble.publicKey(new Uint8Array(length)), null);
  }
  assert.equal(noble.publicKey(new Uint8Array(32).fill(255)), null);
  assert.throws(() => signCommit(DRAFT, new Uint8Array(32)), RangeError);
});

test('a commit is written in the order of PROTOCOL §3 and read back', () => {
  const text = commitJson(COMMIT);
  assert.equal(
    text,
    `{"hash":"${COMMIT.hash}","enclave":"${ENCLAVE}","from":"${COMMIT.from}","type":"Chat:Message","content":{"a":[1,null],"b":"ü"},` +
      `"exp":1700000060000,"tags":[["t","x"]],"sig":"${COMMIT.sig}"}`,
  );
  assert.deepEqual(parseCommit(read(text)), COMMIT);
});

test('an erased event keeps hash and signatures through content_hash', () => {
  const erased: Event = {
    ...EVENT,
    content: null,
    content_hash: hex32<Hash32>(contentHash(EVENT.content)),
    status: 'deleted',
  };
  assert.equal(verifyEvent(erased), null);
  const text = eventJson(erased);
  assert.match(text, /"type":"Chat:Message","content":null,"content_hash":"[0-9a-f]{64}","exp":/);
  assert.match(text, /"id":"[0-9a-f]{64}","status":"deleted"}$/);
  assert.deepEqual(parseEvent(read(text)), erased);
  assert.equal(parseEvent(changed(text, 'content', 'x')), null);
  assert.equal(verifyEvent({ ...erased, content_hash: erased.hash }), 'invalid_hash');
  assert.equal(parseCommit(read(commitJson(erased))), null);
  assert.ok(parseCommit(read(commitJson(erased)), { erasable: true }));
});

test('every field of an event is bound', () => {
  const other = signEvent(COMMIT, { seq: 8, timestamp: 1_700_000_000_001 }, SECRET);
  const fields: Partial<Event>[] = [
    { timestamp: 1 },
    { sequencer: other.sequencer },
    { seq: 8 },
    { seq_sig: other.seq_sig },
    { id: other.id },
    { lane: 1, ctl: 0 },
  ];
  for (const field of fields)
    assert.equal(verifyEvent({ ...EVENT, ...field }), 'invalid_hash', String(Object.keys(field)));
  const forged = { ...EVENT, ...{ seq_sig: other.seq_sig } };
  assert.notEqual(verifyEvent(forged), null);
  assert.equal(verifyEvent(signEvent(COMMIT, { seq: 7, timestamp: COMMIT.exp }, SEQUENCER)), 'expired');
  assert.equal(verifyEvent(EVENT), null);
});

test('misshapen events and receipts are refused', () => {
  const event = eventJson(EVENT);
  const receipt = receiptJson(receiptOfEvent(EVENT));
  for (const key of ['timestamp', 'sequencer', 'seq', 'seq_sig', 'id']) {
    for (const value of [undefined, null, -1, 'x']) {
      assert.equal(parseEvent(changed(event, key, value)), null, key);
      assert.equal(parseReceipt(changed(receipt, key, value)), null, key);
    }
  }
  const bad: [string, Json][] = [
    ['status', 'gone'],
    ['lane', 1],
    ['ctl', 1],
    ['extra', 1],
  ];
  for (const [key, value] of bad) assert.equal(parseEvent(changed(event, key, value)), null, key);
  const badReceipts: [string, Json | undefined][] = [
    ['type', 'Event'],
    ['hash', null],
    ['enclave', undefined],
    ['lane', 0],
    ['extra', 1],
  ];
  for (const [key, value] of badReceipts) {
    assert.equal(parseReceipt(changed(receipt, key, value)), null, key);
  }
});

test('a lane event carries lane and ctl at its end, and so does its receipt', () => {
  const event = signEvent(COMMIT, { seq: 7, timestamp: 1_700_000_000_000, lane: 2, ctl: 41 }, SEQUENCER);
  assert.match(eventJson(event), /"id":"[0-9a-f]{64}","lane":2,"ctl":41}$/);
  assert.match(receiptJson(receiptOfEvent(event)), /"seq_sig":"[0-9a-f]{128}","lane":2,"ctl":41}$/);
  assert.deepEqual(parseEvent(read(eventJson(event))), event);
  assert.equal(verifyEvent(event), null);
  assert.equal(verifyEvent({ ...event, ctl: 42 }), 'invalid_hash');
  assert.equal(verifyReceipt(receiptOfEvent(event), COMMIT), null);
});

test('a receipt proves one commit at one place', () => {
  const receipt = receiptOfEvent(EVENT);
  assert.deepEqual(parseReceipt(read(receiptJson(receipt))), receipt);
  assert.equal(verifyReceipt(receipt, COMMIT), null);
  const other = signCommit({ ...DRAFT, exp: DRAFT.exp + 1 }, SECRET);
  assert.equal(verifyReceipt(receipt, other), 'invalid_hash');
  assert.equal(verifyReceipt({ ...receipt, seq: 8 }, COMMIT), 'invalid_hash');
  assert.equal(verifyReceipt({ ...receipt, enclave: other.hash as never }, COMMIT), 'invalid_hash');
});

test('absent tags and empty tags are the same hash, and two commits on the wire', () => {
  const { tags: _, ...untagged } = DRAFT;
  const from = COMMIT.from as PublicKey;
  assert.deepEqual(commitHashOf({ ...untagged, from }), commitHashOf({ ...untagged, from, tags: [] }));
  assert.ok(isObject(read(commitJson(signCommit(untagged, SECRET)))));
  assert.equal(enclaveIdOf(from, DRAFT.content), enclaveIdOf(from, DRAFT.content, []));
  assert.equal(toHex(sha256()), toHex(sha256(new Uint8Array(0))));
});
