import { utf8 } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/cbor.ts';
import { type CommitDraft, commitJson, signCommit } from '../../protocol/commit.ts';
import { ERRORS } from '../../protocol/errors.ts';
import { eventJson, signEvent } from '../../protocol/event.ts';
import { contentHash, sha256 } from '../../protocol/hash.ts';
import { type EnclaveId, hex32, type Hash32, type PublicKey, toHex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { receiptJson, receiptOfEvent } from '../../protocol/receipt.ts';
import { noble } from '../../protocol/secp.ts';
import { makeSession } from '../../protocol/session.ts';
import { encodeKvKey } from '../../protocol/smt-keys.ts';
import { signSth, sthJson } from '../../protocol/sth.ts';
import type { Input, Row } from './evaluate.ts';

/** A row before its result is known. */
export type Case = Omit<Row, 'out'>;

const one = (kind: string, name: string, input: Input): Case => ({ kind, name, in: input });
/** Bytes that look random and are the same everywhere. */
export const bytes = (name: string): Uint8Array => sha256(utf8(`vectors:${name}`));
export const hex = (name: string): string => toHex(bytes(name));

export const SECRET = bytes('author');
export const FROM = hex32<PublicKey>(noble.publicKey(SECRET) as Uint8Array);
const SEQUENCER_SECRET = bytes('sequencer');
const SEQUENCER = hex32<PublicKey>(noble.publicKey(SEQUENCER_SECRET) as Uint8Array);
const ENCLAVE = hex32<EnclaveId>(bytes('enclave'));
const EXP = 1_700_000_060_000;
const T = 1_700_000_000_000;

const GOOD_JSON = [
  'null', 'true', 'false', '0', '-1', '23', '24', '255', '256', '65535', '65536', '4294967295', '4294967296', '9007199254740991', '-9007199254740991', '-24', '-25', '-256', '-257', '""', '"a"', '"é"', '"\\u00e9"',
  '"\\ud83d\\ude00"', '"😀"', '"\\u0000\\u001f\\u007f"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u2028"', '[]', '{}', ' [ 1 , 2 ]\n', '{"b":1,"a":2}', '{"aa":1,"b":2,"":3}', '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
  '{"10":1,"9":2}', '{"__proto__":{"x":1}}', '{"a":{"b":[{"c":null}]}}', `${'{"a":'.repeat(31)}{}${'}'.repeat(31)}`, `"${'x'.repeat(23)}"`, `"${'x'.repeat(24)}"`, `"${'x'.repeat(256)}"`,
];
const BAD_JSON = [
  '', ' ', '1.0', '1e3', '-0', '01', '+1', '.5', '1.', '9007199254740992', '-9007199254740992', '1e400', 'NaN', 'nul', '[1,]', '[1 2]', '{"a":1,}', '{a:1}', "'a'", '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '"\\ud800"', '"\\udc00"',
  '"\\ud800\\u0041"', '"\\x"', '"\\u12"', '"\t"', '"', '{} {}', '[]]', '\u00a01', `${'{"a":'.repeat(32)}{}${'}'.repeat(32)}`,
];
const BAD_BYTES = { 'byte-order mark': 'efbbbf7b7d', 'overlong NUL': '22c08022', 'encoded surrogate': '22eda08022', 'cut sequence': '22c322', 'lone continuation': '228022', 'beyond U+10FFFF': '22f490808022', 'byte ff': '22ff22', 'NUL behind the value': '7b7d00' };

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

const DRAFTS: Record<string, CommitDraft> = {
  'plain': { enclave: ENCLAVE, type: 'Chat:Message', content: toJson({ text: 'é', n: -1 }), exp: EXP },
  'with tags': { enclave: ENCLAVE, type: 'Chat:Message', content: null, exp: EXP, tags: [['t', 'x', ''], ['é']] },
  'with empty tags': { enclave: ENCLAVE, type: 'Chat:Message', content: toJson([]), exp: EXP, tags: [] },
  'alg named': { enclave: ENCLAVE, type: 'Shared', content: toJson({ key: 'topic', value: 1 }), exp: 0, alg: 'schnorr' },
  'ecdsa': { enclave: ENCLAVE, type: 'x', content: toJson('é'), exp: Number.MAX_SAFE_INTEGER, alg: 'ecdsa' },
};

export function commitCases(): Case[] {
  const good = signCommit(DRAFTS.plain as CommitDraft, SECRET);
  const text = commitJson(good);
  const other = signCommit({ ...(DRAFTS.plain as CommitDraft), exp: 7 }, bytes('other'));
  const erased = commitJson({ ...good, content: null, content_hash: hex32<Hash32>(contentHash(good.content)) });
  const object = (change: Record<string, unknown>): string => JSON.stringify({ ...JSON.parse(text), ...change });
  const verify = (name: string, commit: string, more: Input = {}): Case => one('verify_commit', name, { commit, ...more });
  const misshapen: Record<string, Record<string, unknown>> = {
    'no hash': { hash: undefined }, 'no enclave': { enclave: undefined }, 'no from': { from: undefined }, 'no type': { type: undefined }, 'no content': { content: undefined }, 'no exp': { exp: undefined }, 'no sig': { sig: undefined },
    'upper-case hash': { hash: good.hash.toUpperCase() }, 'short sig': { sig: good.hash }, 'empty type': { type: '' }, 'long type': { type: 'x'.repeat(65) }, 'type with a space': { type: 'a b' }, 'negative exp': { exp: -1 }, 'exp as text': { exp: '1' },
    'unknown alg': { alg: 'rsa' }, 'null tags': { tags: null }, 'an empty tag': { tags: [[]] }, 'a number in a tag': { tags: [['t', 1]] }, 'nine strings in a tag': { tags: [Array(9).fill('')] }, '33 tags': { tags: Array(33).fill(['t']) },
    '257 bytes in a tag': { tags: [[`${'é'.repeat(128)}x`]] }, 'an unknown field': { nonce: 1 }, 'content_hash beside content': { content_hash: good.hash },
  };
  return [
    ...Object.entries(DRAFTS).map(([name, draft]) => one('sign_commit', name, { secret: toHex(SECRET), ...draft, content: JSON.stringify(JSON.parse(commitJson(signCommit(draft, SECRET))).content) })),
    ...Object.entries(DRAFTS).map(([name, draft]) => verify(`good: ${name}`, commitJson(signCommit(draft, SECRET)))),
    verify('good: written another way', JSON.stringify(JSON.parse(text), Object.keys(JSON.parse(text)).toReversed().concat('text', 'n'), 1)),
    verify('good: longest type', commitJson(signCommit({ ...(DRAFTS.plain as CommitDraft), type: 'x'.repeat(64) }, SECRET))),
    verify('good: erased, in a snapshot', erased, { erasable: true }),
    verify('erased commit outside a snapshot', erased),
    ...Object.entries(misshapen).map(([name, change]) => verify(name, object(change))),
    verify('content changed', object({ content: { text: 'e', n: -1 } })),
    verify('exp changed', object({ exp: EXP + 1 })),
    verify('good: empty tags are absent tags to the hash', object({ tags: [] })),
    verify('tags added that are not empty', object({ tags: [['t']] })),
    verify('author changed', object({ from: other.from })),
    verify('hash of another commit', object({ hash: other.hash })),
    verify('signature of another author', object({ sig: other.sig })),
    verify('schnorr signature under ecdsa', object({ alg: 'ecdsa' })),
  ];
}

export function eventCases(): Case[] {
  const commit = signCommit(DRAFTS.plain as CommitDraft, SECRET);
  const text = commitJson(commit);
  const tagged = commitJson(signCommit(DRAFTS['with tags'] as CommitDraft, SECRET));
  const secret = toHex(SEQUENCER_SECRET);
  const event = signEvent(commit, { seq: 7, timestamp: T }, SEQUENCER_SECRET);
  const inLane = signEvent(commit, { seq: 7, timestamp: T, lane: 2, ctl: 41 }, SEQUENCER_SECRET);
  const other = signEvent(commit, { seq: 8, timestamp: T + 1 }, SECRET);
  const late = signEvent(commit, { seq: 7, timestamp: EXP }, SEQUENCER_SECRET);
  const erased = eventJson({ ...event, content: null, content_hash: hex32<Hash32>(contentHash(event.content)), status: 'deleted' });
  const receipt = receiptJson(receiptOfEvent(event));
  const put = (json: string, change: Record<string, unknown>): string => JSON.stringify({ ...JSON.parse(json), ...change });
  const changes: Record<string, Record<string, unknown>> = {
    'timestamp': { timestamp: T + 1 }, 'sequencer': { sequencer: other.sequencer }, 'seq': { seq: 8 }, 'seq_sig': { seq_sig: other.seq_sig }, 'seq_sig and id': { seq_sig: other.seq_sig, id: other.id }, 'id': { id: other.id }, 'lane added': { lane: 1, ctl: 0 }, 'lane without ctl': { lane: 1 },
  };
  return [
    one('sign_event', 'first event', { commit: text, secret, seq: 0, timestamp: T }),
    one('sign_event', 'event with tags', { commit: tagged, secret, seq: 24, timestamp: T }),
    one('sign_event', 'lane event', { commit: text, secret, seq: 7, timestamp: T, lane: 2, ctl: 41 }),
    one('verify_event', 'good', { event: eventJson(event) }),
    one('verify_event', 'good: in a lane', { event: eventJson(inLane) }),
    one('verify_event', 'good: erased', { event: erased }),
    one('verify_event', 'erased under another content_hash', { event: put(erased, { content_hash: event.hash }) }),
    one('verify_event', 'content_hash beside content', { event: put(erased, { content: 1 }) }),
    one('verify_event', 'sequenced when it had expired', { event: eventJson(late) }),
    one('verify_event', 'ctl changed', { event: put(eventJson(inLane), { ctl: 40 }) }),
    one('verify_event', 'unknown status', { event: put(eventJson(event), { status: 'gone' }) }),
    ...Object.entries(changes).map(([name, change]) => one('verify_event', `${name} changed`, { event: put(eventJson(event), change) })),
    one('verify_receipt', 'good', { receipt, commit: text }),
    one('verify_receipt', 'good: in a lane', { receipt: receiptJson(receiptOfEvent(inLane)), commit: text }),
    one('verify_receipt', 'of another commit', { receipt, commit: tagged }),
    one('verify_receipt', 'unknown field', { receipt: put(receipt, { status: 'updated' }), commit: text }),
    ...Object.entries(changes).map(([name, change]) => one('verify_receipt', `${name} changed`, { receipt: put(receipt, change), commit: text })),
  ];
}

export function keyCases(): Case[] {
  const row = (name: string, content: object, tags: string[][]): Case => one('enclave', name, { from: FROM, content: JSON.stringify(content), tags, master: hex('master') });
  return [
    row('smallest', { enc_v: 2, RBAC: {} }, []),
    row('with tags', { enc_v: 2, RBAC: {} }, [['app', 'chat']]),
    row('names its sequencer: same seed as smallest, another id', { enc_v: 2, RBAC: {}, sequencer: SEQUENCER }, []),
    one('public_key', 'init-with-priv', { secret: '33'.repeat(32) }),
    one('public_key', 'zero is no secret', { secret: '00'.repeat(32) }),
    one('public_key', 'the order of the curve is no secret', { secret: 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141' }),
    ...['', '00', '0', 'A0', '0x00', 'g0', FROM, FROM.toUpperCase(), `${FROM}00`].map((text) => one('hex', `hex "${text.slice(0, 10)}" of ${text.length}`, { text })),
  ];
}

export function sessionCases(): Case[] {
  const now = 1_700_000_000_999;
  const seconds = 1_700_000_000;
  const token = (expires: number): string => makeSession(SECRET, noble.publicKey(SEQUENCER_SECRET) as Uint8Array, expires);
  const check = (name: string, text: string, more: Input = {}): Case => one('check_session', name, { token: text, from: FROM, sequencer: SEQUENCER, now, ...more });
  const good = token(seconds + 60);
  return [
    one('make_session', 'one hour', { secret: toHex(SECRET), sequencer: SEQUENCER, expires: seconds + 3600 }),
    check('good', good),
    check('good: 60 s late', token(seconds - 60)),
    check('61 s late', token(seconds - 61)),
    check('good: 7,260 s ahead', token(seconds + 7260)),
    check('7,261 s ahead', token(seconds + 7261)),
    check('another identity', good, { from: SEQUENCER }),
    check('another sequencer', good, { sequencer: FROM }),
    check('another end', good.slice(0, -2) + (good.endsWith('00') ? '01' : '00')),
    check('forged and late: forged', token(seconds - 1000), { from: SEQUENCER }),
    check('short', good.slice(2)),
    check('upper case', good.toUpperCase()),
    check('all zero', '00'.repeat(68)),
  ];
}

export function requestCases(): Case[] {
  const session = makeSession(SECRET, noble.publicKey(SEQUENCER_SECRET) as Uint8Array, 1_700_003_600);
  const envelope = { enclave: ENCLAVE, from: FROM, session };
  const post = (name: string, body: unknown, more: Input = {}): Case => one('inspect', name, { mode: 'post', body: typeof body === 'string' ? body : JSON.stringify(body), ...more });
  const query = (filter: unknown): object => ({ type: 'Query', ...envelope, filter });
  const call = (mode: string, name: string, params: object): Case => one('inspect', `${mode}: ${name}`, { mode, body: JSON.stringify({ ...envelope, ...params }) });
  const commit = commitJson(signCommit(DRAFTS['with tags'] as CommitDraft, SECRET));
  const kv = toHex(encodeKvKey({ kind: 'shared', key: 'topic' }));
  const filters: unknown[] = [
    {}, { id: hex('id') }, { id: [hex('id'), hex('id2')], from: FROM }, { type: ['Chat', 'Move'], seq: { start_after: 4, end_before: 9 } }, { seq: [1, 2], timestamp: { start_at: 1 } }, { tags: { t: 'x', u: ['y', 'z'], v: true } }, { lane: 1, limit: 1000, reverse: true },
    null, { unknown: 1 }, { id: 'x' }, { id: [] }, { seq: -1 }, { seq: { start_at: 1, start_after: 1 } }, { limit: 0 }, { limit: 1001 }, { tags: { t: false } }, { type: 'a b' }, { lane: -1 },
  ];
  return [
    post('a commit', commit),
    post('an array of a commit and what is none', `[${commit},{}]`),
    post('an empty array', '[]'),
    post('a commit without enclave', commit.replace(`"enclave":"${ENCLAVE}",`, '')),
    post('a commit without enclave under its path', commit.replace(`"enclave":"${ENCLAVE}",`, ''), { enclave: ENCLAVE }),
    post('a commit under another path', commit, { enclave: hex('another') }),
    post('no JSON', '{'),
    post('neither commit nor request', {}),
    post('a number', '1'),
    post('1,001 elements', `[${Array(1001).fill('1').join(',')}]`),
    post('Info', { type: 'Info', enclave: ENCLAVE }),
    post('Info with a session', { type: 'Info', ...envelope }),
    post('Sequencer', { type: 'Sequencer', from: FROM, content: { enc_v: 2, RBAC: {} } }),
    post('Sequencer without content', { type: 'Sequencer', from: FROM }),
    post('Pull', { type: 'Pull', ...envelope, after_seq: 41, limit: 5 }),
    post('Pull from the start', { type: 'Pull', ...envelope }),
    post('Pull after -2', { type: 'Pull', ...envelope, after_seq: -2 }),
    post('Query without session', { ...query({}), session: undefined }),
    post('Query with a short session', { ...query({}), session: session.slice(2) }),
    post('Query with an unknown field', { ...query({}), sub_id: 'x' }),
    ...filters.map((filter) => post(`Query ${JSON.stringify(filter).slice(0, 40)}`, query(filter))),
    call('inclusion', 'by seq', { seq: 3 }),
    call('inclusion', 'by leaf index, at a size', { leaf_index: 3, ts: 9 }),
    call('inclusion', 'by nothing', {}),
    call('inclusion', 'by two', { seq: 3, id: hex('id') }),
    call('bundle', 'by id', { id: hex('id') }),
    call('bundle', 'by leaf index', { leaf_index: 1 }),
    call('state', 'a member', { namespace: 'rbac', key: FROM }),
    call('state', 'a slot', { namespace: 'kv', key: kv }),
    call('state', 'another namespace', { namespace: 'x', key: kv }),
    call('state', 'an identity of the wrong length', { namespace: 'rbac', key: kv }),
    call('state-batch', 'two slots', { namespace: 'kv', keys: [kv, kv] }),
    call('state-batch', '257 keys', { namespace: 'rbac', keys: Array(257).fill(FROM) }),
  ];
}

export function sthCases(): Case[] {
  const head = { enclave: ENCLAVE, t: T, ts: 5, r: hex32<Hash32>(bytes('root')) };
  const sth = sthJson(signSth(head, SEQUENCER_SECRET));
  const put = (change: Record<string, unknown>): Input => ({ sth: JSON.stringify({ ...JSON.parse(sth), ...change }) });
  const changes: [string, Record<string, unknown>][] = [['enclave', { enclave: hex('x') }], ['t', { t: T + 1 }], ['ts', { ts: 6 }], ['r', { r: hex('x') }], ['sequencer', { sequencer: FROM }], ['sig', { sig: hex('x') + hex('y') }], ['unknown field', { n: 1 }]];
  return [
    one('sign_sth', 'five bundles', { secret: toHex(SEQUENCER_SECRET), ...head }),
    one('sign_sth', 'the empty log', { secret: toHex(SEQUENCER_SECRET), ...head, ts: 0, r: toHex(sha256()) }),
    one('verify_sth', 'good', { sth }),
    ...changes.map(([name, change]) => one('verify_sth', `${name} changed`, put(change))),
    ...['0000000000000000', '0000000000000001', 'ffffffffffffffff', 'deadbeefcafebabe'].flatMap((key) => [1, 2, 10, 1000].map((buckets) => one('jump', `${key} in ${buckets}`, { key, buckets }))),
    ...[1, 3, 100].flatMap((shards) => [0, 1, 2].map((attempt) => one('shard', `of ${shards}, attempt ${attempt}`, { enclave: ENCLAVE, shards, attempt }))),
    ...[1, 4, 16].map((m) => one('lane', `of ${m}`, { enclave: ENCLAVE, from: FROM, m })),
  ];
}

export function errorCases(): Case[] {
  return [...ERRORS.map(({ number, code }) => one('error', code, { number, detail: '' })), one('error', 'with a detail', { number: 5, detail: '"path":"/RBAC"' })];
}

export function smtKeyCases(): Case[] {
  const kv = (name: string, value: unknown): Case => one('smt_key', name, { namespace: 2, raw: toHex(encodeCbor(toJson(value))) });
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
