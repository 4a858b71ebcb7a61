import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cbor, decodeCbor, encodeCbor } from './cbor.ts';
import { toHex, unhex } from './hex.ts';
import { toJson } from './json.ts';

/** RFC 8949 Appendix A, the rows that JSON of PROTOCOL §1 can hold, and byte strings. */
const APPENDIX_A: readonly (readonly [Cbor, string])[] = [
  [0, '00'],
  [1, '01'],
  [10, '0a'],
  [23, '17'],
  [24, '1818'],
  [25, '1819'],
  [100, '1864'],
  [1000, '1903e8'],
  [1000000, '1a000f4240'],
  [1000000000000, '1b000000e8d4a51000'],
  [-1, '20'],
  [-10, '29'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [new Uint8Array(0), '40'],
  [Uint8Array.of(1, 2, 3, 4), '4401020304'],
  ['', '60'],
  ['a', '6161'],
  ['IETF', '6449455446'],
  ['"\\', '62225c'],
  ['ü', '62c3bc'],
  ['水', '63e6b0b4'],
  ['𐅑', '64f0908591'],
  [[], '80'],
  [[1, 2, 3], '83010203'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [Array.from({ length: 25 }, (_, i) => i + 1), '98190102030405060708090a0b0c0d0e0f101112131415161718181819'],
  [toJson({}), 'a0'],
  [toJson({ a: 1, b: [2, 3] }), 'a26161016162820203'],
  [['a', toJson({ b: 'c' })], '826161a161626163'],
  [toJson({ a: 'A', b: 'B', c: 'C', d: 'D', e: 'E' }), 'a56161614161626142616361436164614461656145'],
];

test('what is no deterministic encoding is not decoded', () => {
  const bad = {
    empty: '',
    'trailing byte': '0000',
    'cut text': '62c3',
    'cut array': '8301',
    'cut head': '19ff',
    'huge length': '7b7fffffffffffffff',
    'long head for 0': '1800',
    'long head for 23': '1817',
    'long head for 255': '1900ff',
    'long head for 65535': '1a0000ffff',
    'long head for 2^32-1': '1b00000000ffffffff',
    'above 2^53-1': '1b0020000000000000',
    'below -(2^53-1)': '3b001fffffffffffff',
    'indefinite array': '9f01ff',
    'indefinite text': '7f6161ff',
    'indefinite map': 'bfff',
    float: 'f93c00',
    undefined: 'f7',
    'simple value': 'f820',
    tag: 'c074323031332d30332d32315432303a30343a30305a',
    'reserved head': '1c',
    break: 'ff',
    'keys out of order': 'a2616201616101',
    'duplicate key': 'a2616101616101',
    'longer key first': 'a262616101616202',
    'integer key': 'a10101',
    'overlong UTF-8': '62c080',
    'surrogate UTF-8': '63eda080',
    deep: `${'81'.repeat(50)}00`,
  };
  for (const [name, hex] of Object.entries(bad)) assert.equal(decodeCbor(unhex(hex)), undefined, name);
});

test('RFC 8949 Appendix A, both ways', () => {
  for (const [value, hex] of APPENDIX_A) {
    assert.equal(toHex(encodeCbor(value)), hex);
    assert.equal(toHex(encodeCbor(decodeCbor(unhex(hex)) as Cbor)), hex);
  }
});

test('heads are shortest at every border', () => {
  const rows: [number, string][] = [
    [255, '18ff'],
    [256, '190100'],
    [65535, '19ffff'],
    [65536, '1a00010000'],
    [4294967295, '1affffffff'],
    [4294967296, '1b0000000100000000'],
    [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [-24, '37'],
    [-25, '3818'],
    [-256, '38ff'],
    [-257, '390100'],
    [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
  ];
  for (const [n, hex] of rows) {
    assert.equal(toHex(encodeCbor(n)), hex);
    assert.equal(decodeCbor(unhex(hex)), n);
  }
});

test('map keys are sorted by their encoding: shorter first, then bytewise', () => {
  const value = toJson({ aa: 1, b: 2, '': 3, é: 4, z: 5, 10: 6, 9: 7 });
  assert.equal(toHex(encodeCbor(value)), 'a76003613907616202617a05623130066261610162c3a904');
});

test('numbers that JSON may not hold are not encoded', () => {
  for (const n of [1.5, 2 ** 53, Number.NaN]) assert.throws(() => encodeCbor(n), TypeError);
});
