import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schnorr } from '@noble/curves/secp256k1.js';
import { be32, concat, utf8 } from './bytes.ts';
import { sha256, ZERO32 } from './hash.ts';
import { type EnclaveId, type Hash32, hex32, toHex, unhex } from './hex.ts';
import { toJson } from './json.ts';
import { noble } from './secp.ts';
import { checkSession, makeSession, parseSession, sessionExpires } from './session.ts';
import { parseSth, signSth, sthJson, verifySth } from './sth.ts';

const SECRET = sha256(utf8('client'));
const FROM = noble.publicKey(SECRET) as Uint8Array;
const SEQUENCER = noble.publicKey(sha256(utf8('sequencer'))) as Uint8Array;
const NOW = 1_700_000_000_999;
const SECONDS = 1_700_000_000;

function check(token: string, from = FROM, sequencer = SEQUENCER, now = NOW): string | null {
  const session = parseSession(token);
  return session === null ? 'misshapen' : checkSession(session, from, sequencer, now);
}

/** The encrypted form's token (PROTOCOL §8): r || x(s·G) || expires. */
function encryptedForm(r: Uint8Array, sessionPub: Uint8Array, expires: number): string {
  return toHex(concat(r, sessionPub, be32(expires)));
}

test('misshapen tokens are no tokens', () => {
  const good = makeSession(SECRET, SEQUENCER, SECONDS + 60);
  for (const token of [
    '',
    good.slice(2),
    `${good}00`,
    good.toUpperCase(),
    `${good.slice(0, -1)}g`,
    5,
    null,
    undefined,
    [good],
  ])
    assert.equal(parseSession(token), null);
  assert.equal(checkSession(new Uint8Array(67), FROM, SEQUENCER, NOW), 'invalid_session');
});

test('a token made from public data alone is refused', () => {
  const { Point, utils } = schnorr;
  const expires = SECONDS + 60;
  const message = sha256(utf8('enc:session:'), SEQUENCER, be32(expires));
  const r = schnorr.getPublicKey(sha256(utf8('any nonce')));
  const e = BigInt(`0x${toHex(utils.taggedHash('BIP0340/challenge', r, FROM, message))}`) % Point.Fn.ORDER;
  const derived = utils.lift_x(BigInt(`0x${toHex(r)}`)).add(utils.lift_x(BigInt(`0x${toHex(FROM)}`)).multiply(e));
  const token = encryptedForm(r, utils.pointToBytes(derived), expires);
  assert.equal(check(token), 'invalid_session');
});

test('a genuine encrypted-form token without ciphertext is refused', () => {
  const expires = SECONDS + 60;
  const sig = schnorr.sign(sha256(utf8('enc:session:'), SEQUENCER, be32(expires)), SECRET, ZERO32);
  const sessionPub = schnorr.getPublicKey(sig.slice(32));
  assert.equal(check(encryptedForm(sig.slice(0, 32), sessionPub, expires)), 'invalid_session');
  assert.equal(check(toHex(concat(sig, be32(expires)))), 'invalid_session');
});

test('a token for another node, of another identity or with another end is refused', () => {
  const token = makeSession(SECRET, SEQUENCER, SECONDS + 60);
  assert.equal(check(token), null);
  assert.equal(check(token, FROM, FROM), 'invalid_session');
  assert.equal(check(token, SEQUENCER), 'invalid_session');
  assert.equal(check(token.slice(0, -8) + toHex(be32(SECONDS + 61))), 'invalid_session');
  assert.equal(check(`01${token.slice(2)}`), 'invalid_session');
});

test('times are compared in whole seconds: 60 s late and 7,260 s ahead pass', () => {
  const at = (expires: number): string | null => check(makeSession(SECRET, SEQUENCER, expires));
  assert.equal(at(SECONDS - 60), null);
  assert.equal(at(SECONDS - 61), 'session_expired');
  assert.equal(at(SECONDS + 7260), null);
  assert.equal(at(SECONDS + 7261), 'invalid_session');
  assert.equal(at(0), 'session_expired');
  assert.equal(at(0xffffffff), 'invalid_session');
});

test('the signature is looked at before the time', () => {
  const old = makeSession(SECRET, SEQUENCER, SECONDS - 1000);
  assert.equal(check(old), 'session_expired');
  assert.equal(check(old, SEQUENCER), 'invalid_session');
  assert.equal(sessionExpires(unhex(old)), SECONDS - 1000);
});

test('every field of a tree head is signed', () => {
  const secret = sha256(utf8('sequencer'));
  const sth = signSth({ enclave: hex32<EnclaveId>(FROM), t: 5, ts: 2, r: hex32<Hash32>(SECRET) }, secret);
  assert.ok(verifySth(sth));
  const other = hex32<Hash32>(sha256(utf8('other')));
  for (const change of [
    { enclave: other as never },
    { t: 6 },
    { ts: 3 },
    { r: other },
    { sequencer: hex32(FROM) as never },
    { sig: `${other}${other}` as never },
  ]) {
    assert.equal(verifySth({ ...sth, ...change }), false, String(Object.keys(change)));
  }
  const plain = JSON.parse(sthJson(sth));
  assert.deepEqual(Object.keys(plain), ['enclave', 't', 'ts', 'r', 'sequencer', 'sig']);
  assert.deepEqual(parseSth(toJson(plain)), sth);
  for (const change of [{ t: -1 }, { ts: null }, { r: '' }, { sig: other }, { x: 1 }, { enclave: undefined }])
    assert.equal(parseSth(toJson({ ...plain, ...change })), null);
});
