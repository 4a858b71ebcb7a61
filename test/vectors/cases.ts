import { utf8 } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/cbor.ts';
import { ERRORS } from '../../protocol/errors.ts';
import { sha256 } from '../../protocol/hash.ts';
import { type EnclaveId, hex32, type PublicKey, toHex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { noble } from '../../protocol/secp.ts';
import type { Input, Row } from './evaluate.ts';

/** A row before its result is known. */
export type Case = Omit<Row, 'out'>;

export const one = (kind: string, name: string, input: Input): Case => ({ kind, name, in: input });
/** Bytes that look random and are the same everywhere. */
export const bytes = (name: string): Uint8Array => sha256(utf8(`vectors:${name}`));
export const hex = (name: string): string => toHex(bytes(name));

export const SECRET = bytes('author');
export const FROM = hex32<PublicKey>(noble.publicKey(SECRET) as Uint8Array);
export const SEQUENCER_SECRET = bytes('sequencer');
export const SEQUENCER = hex32<PublicKey>(noble.publicKey(SEQUENCER_SECRET) as Uint8Array);
export const ENCLAVE = hex32<EnclaveId>(bytes('enclave'));
export const EXP = 1_700_000_060_000;
export const T = 1_700_000_000_000;

const GOOD_JSON = [
  'null',
  'true',
  'false',
  '0',
  '-1',
  '23',
  '24',
  '255',
  '256',
  '65535',
  '65536',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '-9007199254740991',
  '-24',
  '-25',
  '-256',
  '-257',
  '""',
  '"a"',
  '"é"',
  '"\\u00e9"',
  '"\\ud83d\\ude00"',
  '"😀"',
  '"\\u0000\\u001f\\u007f"',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
  '"\\u2028"',
  '[]',
  '{}',
  ' [ 1 , 2 ]\n',
  '{"b":1,"a":2}',
  '{"aa":1,"b":2,"":3}',
  '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
  '{"10":1,"9":2}',
  '{"__proto__":{"x":1}}',
  '{"a":{"b":[{"c":null}]}}',
  `${'{"a":'.repeat(31)}{}${'}'.repeat(31)}`,
  `"${'x'.repeat(23)}"`,
  `"${'x'.repeat(24)}"`,
  `"${'x'.repeat(256)}"`,
];
const BAD_JSON = [
  '',
  ' ',
  '1.0',
  '1e3',
  '-0',
  '01',
  '+1',
  '.5',
  '1.',
  '9007199254740992',
  '-9007199254740992',
  '1e400',
  'NaN',
  'nul',
  '[1,]',
  '[1 2]',
  '{"a":1,}',
  '{a:1}',
  "'a'",
  '{"a":1,"a":2}',
  '{"a":1,"\\u0061":2}',
  '"\\ud800"',
  '"\\udc00"',
  '"\\ud800\\u0041"',
  '"\\x"',
  '"\\u12"',
  '"\t"',
  '"',
  '{} {}',
  '[]]',
  '\u00a01',
  `${'{"a":'.repeat(32)}{}${'}'.repeat(32)}`,
];
const BAD_BYTES = {
  'byte-order mark': 'efbbbf7b7d',
  'overlong NUL': '22c08022',
  'encoded surrogate': '22eda08022',
  'cut sequence': '22c322',
  'lone continuation': '228022',
  'beyond U+10FFFF': '22f490808022',
  'byte ff': '22ff22',
  'NUL behind the value': '7b7d00',
};

export function jsonCases(): Case[] {
  const row = (name: string, text: string): Case => one('json', name, { utf8: toHex(utf8(text)) });
  return [
    ...GOOD_JSON.map((text) => row(`reads ${text.slice(0, 40)}`, text)),
    ...BAD_JSON.map((text) => row(`refuses ${text.slice(0, 40)}`, text)),
    ...Object.entries(BAD_BYTES).map(([name, bad]) => one('json', `refuses ${name}`, { utf8: bad })),
  ];
}

export function preimageCases(): Case[] {
  const b = (name: string): object => ({ hex: hex(name) });
  const sig = { hex: hex('s1') + hex('s2') };
  const rows: [string, number, unknown[]][] = [
    ['commit hash', 0x10, [b('enclave'), b('from'), 'Chat:Message', b('content hash'), EXP, []]],
    ['commit hash with tags', 0x10, [b('enclave'), b('from'), 'Move', b('content hash'), 0, [['t', 'é'], ['x']]]],
    ['event hash', 0x11, [b('commit hash'), sig, b('sequencer'), 0, T]],
    ['event hash, large seq', 0x11, [b('commit hash'), sig, b('sequencer'), Number.MAX_SAFE_INTEGER, T]],
    ['enclave id', 0x12, [b('from'), 'Manifest', b('content hash'), []]],
    ['enclave id with tags', 0x12, [b('from'), 'Manifest', b('content hash'), [['app', 'chat']]]],
    ['lane id', 0x13, [b('enclave'), 1]],
    ['event id', 0x14, [b('event hash'), sig]],
    ['lane event hash', 0x15, [b('commit hash'), sig, b('sequencer'), 3, 24, 11, T]],
    ['key seed', 0x16, [b('from'), b('content hash'), []]],
    ['bundle node', 0x01, [b('left'), b('right')]],
    ['state tree leaf', 0x20, [{ hex: `00${hex('key').slice(0, 40)}` }, b('value')]],
    ['state tree node', 0x21, [b('left'), b('right')]],
  ];
  return [
    ...rows.map(([name, prefix, fields]) => one('preimage', name, { prefix, fields })),
    one('raw_preimage', 'empty subtree and root of the empty log', { bytes: '' }),
    one('chain', 'chain before the Manifest is the enclave id', { enclave: ENCLAVE, ids: [] }),
    one('chain', 'chain over three events', { enclave: ENCLAVE, ids: ['a', 'b', 'c'].map(hex) }),
  ];
}

export function keyCases(): Case[] {
  const row = (name: string, content: object, tags: string[][]): Case =>
    one('enclave', name, { from: FROM, content: JSON.stringify(content), tags, master: hex('master') });
  return [
    row('smallest', { enc_v: 2, RBAC: {} }, []),
    row('with tags', { enc_v: 2, RBAC: {} }, [['app', 'chat']]),
    row('names its sequencer: same seed as smallest, another id', { enc_v: 2, RBAC: {}, sequencer: SEQUENCER }, []),
    one('public_key', 'init-with-priv', { secret: '33'.repeat(32) }),
    one('public_key', 'zero is no secret', { secret: '00'.repeat(32) }),
    one('public_key', 'the order of the curve is no secret', {
      secret: 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
    }),
    ...['', '00', '0', 'A0', '0x00', 'g0', FROM, FROM.toUpperCase(), `${FROM}00`].map((text) =>
      one('hex', `hex "${text.slice(0, 10)}" of ${text.length}`, { text }),
    ),
  ];
}

export function errorCases(): Case[] {
  return [
    ...ERRORS.map(({ number, code }) => one('error', code, { number, detail: '' })),
    one('error', 'with a detail', { number: 5, detail: '"path":"/RBAC"' }),
  ];
}

export function smtKeyCases(): Case[] {
  const kv = (name: string, value: unknown): Case =>
    one('smt_key', name, { namespace: 2, raw: toHex(encodeCbor(toJson(value))) });
  return [
    one('smt_key', 'identity', { namespace: 0, raw: FROM }),
    one('smt_key', 'event', { namespace: 1, raw: hex('id') }),
    kv('shared', ['shared', 'topic']),
    one('smt_key', 'own', { namespace: 2, raw: toHex(encodeCbor(['own', 'profile', bytes('author')])) }),
    kv('gate', ['gate', 'door']),
    kv('status', ['status']),
    kv('longest slot key', ['shared', 'é'.repeat(128)]),
    kv('slot key of 257 bytes', ['shared', 'x'.repeat(257)]),
    kv('empty slot key', ['shared', '']),
    kv('own with the author as text', ['own', 'profile', FROM]),
    kv('own without author', ['own', 'profile']),
    kv('gate with a space', ['gate', 'a b']),
    kv('status with more', ['status', 1]),
    kv('unknown form', ['other', 'x']),
    kv('no array', 'status'),
    one('smt_key', 'no shortest head', { namespace: 2, raw: '817806737461747573' }),
    one('smt_key', 'trailing byte', { namespace: 2, raw: '816673746174757300' }),
    one('smt_key', 'nothing', { namespace: 2, raw: '' }),
  ];
}
