import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type Backend, isSecretKey } from './backend.ts';
import { openNative } from './native.ts';
import { openNoble } from './noble.ts';
import { openSecp256k1, secp256k1Advice } from './open.ts';
import { seeded } from './seeded.test-util.ts';
import { openWasm } from './wasm.ts';

const CSV = `${process.env['ENC_VECTORS'] ?? '../shared/vectors'}/bip340/test-vectors.csv`;
const N = Buffer.from('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', 'hex');
const P = Buffer.from('fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f', 'hex');
const backends = [openNative(), openWasm(), openNoble()].filter((backend): backend is Backend => backend !== null);

for (const backend of backends) {
  describe(`${backend.name} back end`, () => {
    test('refuses secrets that are 0, n, above n or of another length', () => {
      for (const bad of [
        new Uint8Array(32),
        N,
        Buffer.alloc(32, 255),
        new Uint8Array(31),
        new Uint8Array(33).fill(1),
      ]) {
        assert.equal(backend.publicKey(bad), null);
        assert.equal(backend.signingKey(bad), null);
        assert.throws(() => backend.signSchnorr(bad, new Uint8Array(32)), /secret key is 32 bytes/);
        assert.throws(() => backend.signEcdsa(bad, new Uint8Array(32)), /secret key is 32 bytes/);
      }
      assert.throws(() => backend.signSchnorr(new Uint8Array(32).fill(1), new Uint8Array(31)), /over 32 bytes/);
    });

    test('a destroyed signing key signs no more', () => {
      const key = backend.signingKey(new Uint8Array(32).fill(7));
      key?.destroy();
      assert.throws(() => key?.signInto(new Uint8Array(32), new Uint8Array(64)), /destroyed|secret key is/);
    });

    test('passes the BIP-340 vectors', { skip: existsSync(CSV) ? false : `no ${CSV}: set ENC_VECTORS` }, () => {
      let rows = 0;
      for (const line of readFileSync(CSV, 'utf8').trim().split('\n').slice(1)) {
        const [, secret = '', pub = '', aux = '', message = '', sig = '', result] = line.split(',');
        if (message.length !== 64) continue; // this protocol signs 32-byte hashes only
        const bytes = [pub, message, sig].map((hex) => Buffer.from(hex, 'hex')) as [Buffer, Buffer, Buffer];
        assert.equal(backend.verifySchnorr(...bytes), result === 'TRUE', line);
        if (secret && /^0*$/.test(aux))
          assert.deepEqual(Buffer.from(backend.signSchnorr(Buffer.from(secret, 'hex'), bytes[1])), bytes[2]);
        if (secret) assert.deepEqual(Buffer.from(backend.publicKey(Buffer.from(secret, 'hex')) ?? []), bytes[0]);
        rows++;
      }
      assert.ok(rows >= 14);
    });
  });
}

test('all back ends sign the same bytes and agree on good, mutated and extreme signatures', (t) => {
  const seed = Number(process.env['ENC_TEST_SEED'] ?? 340);
  t.diagnostic(`seed ${seed}, back ends ${backends.map((b) => b.name).join(', ')}`);
  const random = seeded(seed);
  const first = backends[0] as Backend;
  const agree = (
    kind: 'verifySchnorr' | 'verifyEcdsa',
    pub: Uint8Array,
    hash: Uint8Array,
    sig: Uint8Array,
    expected?: boolean,
  ) => {
    for (const backend of backends) {
      const answer = backend[kind](pub, hash, sig);
      const context = `${backend.name} ${kind} ${Buffer.from(pub).toString('hex')} ${Buffer.from(sig).toString('hex')}`;
      assert.equal(answer, expected ?? first[kind](pub, hash, sig), context);
    }
  };
  for (let round = 0; round < 12; round++) {
    const secret = random.bytes(32);
    const hash = random.bytes(32);
    assert.ok(isSecretKey(secret));
    const [pub, schnorr, ecdsa] = [
      first.publicKey(secret) as Uint8Array,
      first.signSchnorr(secret, hash),
      first.signEcdsa(secret, hash),
    ];
    for (const backend of backends) {
      const key = backend.signingKey(secret);
      const out = new Uint8Array(64);
      key?.signInto(hash, out);
      assert.deepEqual(Buffer.from(out), Buffer.from(schnorr));
      assert.deepEqual(Buffer.from(key?.publicKey ?? []), Buffer.from(pub));
      assert.deepEqual(Buffer.from(backend.signSchnorr(secret, hash)), Buffer.from(schnorr));
      assert.deepEqual(Buffer.from(backend.signEcdsa(secret, hash)), Buffer.from(ecdsa));
    }
    for (const [kind, sig] of [['verifySchnorr', schnorr] as const, ['verifyEcdsa', ecdsa] as const]) {
      agree(kind, pub, hash, sig, true);
      agree(kind, pub, random.flip(hash), sig, false);
      agree(kind, random.flip(pub), hash, sig, false);
      agree(kind, pub, hash, random.flip(sig), false);
      for (const half of [0, 32]) {
        for (const extreme of [new Uint8Array(32), N, P, Buffer.alloc(32, 255)])
          agree(kind, pub, hash, replaced(sig, half, extreme), false);
      }
      for (const badPub of [
        new Uint8Array(32),
        P,
        Buffer.alloc(32, 255),
        new Uint8Array(31),
        new Uint8Array(33),
        new Uint8Array(0),
      ]) {
        agree(kind, badPub, hash, sig, false);
      }
      agree(kind, random.bytes(32), hash, sig, false);
      for (const length of [0, 63, 65]) agree(kind, pub, hash, new Uint8Array(length), false);
      agree(kind, pub, hash.subarray(1), sig, false);
    }
    agree('verifyEcdsa', pub, hash, replaced(ecdsa, 32, minus(N, ecdsa.subarray(32))), false); // high S
    agree('verifySchnorr', pub, hash, replaced(schnorr, 32, minus(N, schnorr.subarray(32))), false);
    agree('verifySchnorr', pub, hash, ecdsa, false);
    agree('verifyEcdsa', pub, hash, schnorr, false);
  }
});

test('the best available back end is chosen and the slower ones advise what to install', () => {
  assert.equal(openSecp256k1().name, backends[0]?.name);
  assert.equal(openSecp256k1('noble').name, 'noble');
  assert.equal(secp256k1Advice('native'), null);
  for (const slower of ['wasm', 'noble'] as const)
    assert.match(secp256k1Advice(slower) ?? '', /apt-get install libsecp256k1-1/);
});

function replaced(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(part, at);
  return copy;
}

function minus(a: Uint8Array, b: Uint8Array): Uint8Array {
  const hex = (BigInt(`0x${Buffer.from(a).toString('hex')}`) - BigInt(`0x${Buffer.from(b).toString('hex')}`)).toString(
    16,
  );
  return Buffer.from(hex.padStart(64, '0'), 'hex');
}
