import assert from 'node:assert/strict';
import { test } from 'node:test';
import { be32, be64, compareBytes, concat, equalBytes, fromUtf8, pad8 } from './bytes.ts';
import { fromHex, hex32, hex64, isHex32, isHex64, toHex, unhex } from './hex.ts';

test('only lower-case hex of even length is hex', () => {
  for (const text of ['A0', 'aF', '0', '0g', ' 00', '00 ', '0x00', '00\n', '٠٠', 'éé']) {
    assert.equal(fromHex(text), null, text);
    assert.throws(() => unhex(text), TypeError);
  }
  assert.equal(fromHex('0000', 3), null);
  assert.equal(isHex32(`${'0'.repeat(63)}A`), false);
  assert.equal(isHex32(`${'0'.repeat(64)}\n`), false);
  assert.equal(isHex64('0'.repeat(64)), false);
  assert.equal(isHex32(7), false);
  assert.throws(() => hex32(new Uint8Array(31)), TypeError);
  assert.throws(() => hex64(new Uint8Array(32)), TypeError);
});

test('hex goes both ways', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.deepEqual(unhex(toHex(all)), all);
  assert.deepEqual(fromHex(''), new Uint8Array(0));
});

test('big-endian integers refuse what does not fit', () => {
  for (const n of [-1, 1.5, 2 ** 32, Number.NaN]) assert.throws(() => be32(n), RangeError);
  for (const n of [-1, 1.5, 2 ** 53]) assert.throws(() => be64(n), RangeError);
  assert.equal(toHex(concat(be32(0x01020304), be64(2 ** 53 - 1))), '01020304001fffffffffffff');
});

test('bytes compare bytewise, a prefix first', () => {
  assert.ok(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0)) < 0);
  assert.ok(compareBytes(Uint8Array.of(0x80), Uint8Array.of(0x7f, 0xff)) > 0);
  assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
  assert.equal(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2)), false);
  assert.equal(fromUtf8(Uint8Array.of(0xc0, 0x80)), null);
  assert.deepEqual([0, 1, 8, 9].map(pad8), [0, 8, 8, 16]);
});
