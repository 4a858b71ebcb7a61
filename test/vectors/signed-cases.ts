import { type CommitDraft, commitJson, signCommit } from '../../protocol/commit.ts';
import { eventJson, signEvent } from '../../protocol/event.ts';
import { contentHash, sha256 } from '../../protocol/hash.ts';
import { type Hash32, hex32, toHex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { receiptJson, receiptOfEvent } from '../../protocol/receipt.ts';
import { noble } from '../../protocol/secp.ts';
import { makeSession } from '../../protocol/session.ts';
import { signSth, sthJson } from '../../protocol/sth.ts';
import { bytes, type Case, ENCLAVE, EXP, FROM, hex, one, SECRET, SEQUENCER, SEQUENCER_SECRET, T } from './cases.ts';
import type { Input } from './evaluate.ts';

export const DRAFTS: Record<string, CommitDraft> = {
  plain: { enclave: ENCLAVE, type: 'Chat:Message', content: toJson({ text: 'é', n: -1 }), exp: EXP },
  'with tags': { enclave: ENCLAVE, type: 'Chat:Message', content: null, exp: EXP, tags: [['t', 'x', ''], ['é']] },
  'with empty tags': { enclave: ENCLAVE, type: 'Chat:Message', content: toJson([]), exp: EXP, tags: [] },
  'alg named': {
    enclave: ENCLAVE,
    type: 'Shared',
    content: toJson({ key: 'topic', value: 1 }),
    exp: 0,
    alg: 'schnorr',
  },
  ecdsa: { enclave: ENCLAVE, type: 'x', content: toJson('é'), exp: Number.MAX_SAFE_INTEGER, alg: 'ecdsa' },
};

export function commitCases(): Case[] {
  const good = signCommit(DRAFTS.plain as CommitDraft, SECRET);
  const text = commitJson(good);
  const other = signCommit({ ...(DRAFTS.plain as CommitDraft), exp: 7 }, bytes('other'));
  const erased = commitJson({ ...good, content: null, content_hash: hex32<Hash32>(contentHash(good.content)) });
  const object = (change: Record<string, unknown>): string => JSON.stringify({ ...JSON.parse(text), ...change });
  const verify = (name: string, commit: string, more: Input = {}): Case =>
    one('verify_commit', name, { commit, ...more });
  const misshapen: Record<string, Record<string, unknown>> = {
    'no hash': { hash: undefined },
    'no enclave': { enclave: undefined },
    'no from': { from: undefined },
    'no type': { type: undefined },
    'no content': { content: undefined },
    'no exp': { exp: undefined },
    'no sig': { sig: undefined },
    'upper-case hash': { hash: good.hash.toUpperCase() },
    'short sig': { sig: good.hash },
    'empty type': { type: '' },
    'long type': { type: 'x'.repeat(65) },
    'type with a space': { type: 'a b' },
    'negative exp': { exp: -1 },
    'exp as text': { exp: '1' },
    'unknown alg': { alg: 'rsa' },
    'null tags': { tags: null },
    'an empty tag': { tags: [[]] },
    'a number in a tag': { tags: [['t', 1]] },
    'nine strings in a tag': { tags: [Array(9).fill('')] },
    '33 tags': { tags: Array(33).fill(['t']) },
    '257 bytes in a tag': { tags: [[`${'é'.repeat(128)}x`]] },
    'an unknown field': { nonce: 1 },
    'content_hash beside content': { content_hash: good.hash },
  };
  return [
    ...Object.entries(DRAFTS).map(([name, draft]) =>
      one('sign_commit', name, {
        secret: toHex(SECRET),
        ...draft,
        content: JSON.stringify(JSON.parse(commitJson(signCommit(draft, SECRET))).content),
      }),
    ),
    ...Object.entries(DRAFTS).map(([name, draft]) => verify(`good: ${name}`, commitJson(signCommit(draft, SECRET)))),
    verify(
      'good: written another way',
      JSON.stringify(JSON.parse(text), Object.keys(JSON.parse(text)).toReversed().concat('text', 'n'), 1),
    ),
    verify(
      'good: longest type',
      commitJson(signCommit({ ...(DRAFTS.plain as CommitDraft), type: 'x'.repeat(64) }, SECRET)),
    ),
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
  const erased = eventJson({
    ...event,
    content: null,
    content_hash: hex32<Hash32>(contentHash(event.content)),
    status: 'deleted',
  });
  const receipt = receiptJson(receiptOfEvent(event));
  const put = (json: string, change: Record<string, unknown>): string =>
    JSON.stringify({ ...JSON.parse(json), ...change });
  const changes: Record<string, Record<string, unknown>> = {
    timestamp: { timestamp: T + 1 },
    sequencer: { sequencer: other.sequencer },
    seq: { seq: 8 },
    seq_sig: { seq_sig: other.seq_sig },
    'seq_sig and id': { seq_sig: other.seq_sig, id: other.id },
    id: { id: other.id },
    'lane added': { lane: 1, ctl: 0 },
    'lane without ctl': { lane: 1 },
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
    ...Object.entries(changes).map(([name, change]) =>
      one('verify_event', `${name} changed`, { event: put(eventJson(event), change) }),
    ),
    one('verify_receipt', 'good', { receipt, commit: text }),
    one('verify_receipt', 'good: in a lane', { receipt: receiptJson(receiptOfEvent(inLane)), commit: text }),
    one('verify_receipt', 'of another commit', { receipt, commit: tagged }),
    one('verify_receipt', 'unknown field', { receipt: put(receipt, { status: 'updated' }), commit: text }),
    ...Object.entries(changes).map(([name, change]) =>
      one('verify_receipt', `${name} changed`, { receipt: put(receipt, change), commit: text }),
    ),
  ];
}

export function sessionCases(): Case[] {
  const now = 1_700_000_000_999;
  const seconds = 1_700_000_000;
  const token = (expires: number): string =>
    makeSession(SECRET, noble.publicKey(SEQUENCER_SECRET) as Uint8Array, expires);
  const check = (name: string, text: string, more: Input = {}): Case =>
    one('check_session', name, { token: text, from: FROM, sequencer: SEQUENCER, now, ...more });
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

export function sthCases(): Case[] {
  const head = { enclave: ENCLAVE, t: T, ts: 5, r: hex32<Hash32>(bytes('root')) };
  const sth = sthJson(signSth(head, SEQUENCER_SECRET));
  const put = (change: Record<string, unknown>): Input => ({ sth: JSON.stringify({ ...JSON.parse(sth), ...change }) });
  const changes: [string, Record<string, unknown>][] = [
    ['enclave', { enclave: hex('x') }],
    ['t', { t: T + 1 }],
    ['ts', { ts: 6 }],
    ['r', { r: hex('x') }],
    ['sequencer', { sequencer: FROM }],
    ['sig', { sig: hex('x') + hex('y') }],
    ['unknown field', { n: 1 }],
  ];
  return [
    one('sign_sth', 'five bundles', { secret: toHex(SEQUENCER_SECRET), ...head }),
    one('sign_sth', 'the empty log', { secret: toHex(SEQUENCER_SECRET), ...head, ts: 0, r: toHex(sha256()) }),
    one('verify_sth', 'good', { sth }),
    ...changes.map(([name, change]) => one('verify_sth', `${name} changed`, put(change))),
    ...['0000000000000000', '0000000000000001', 'ffffffffffffffff', 'deadbeefcafebabe'].flatMap((key) =>
      [1, 2, 10, 1000].map((buckets) => one('jump', `${key} in ${buckets}`, { key, buckets })),
    ),
    ...[1, 3, 100].flatMap((shards) =>
      [0, 1, 2].map((attempt) =>
        one('shard', `of ${shards}, attempt ${attempt}`, { enclave: ENCLAVE, shards, attempt }),
      ),
    ),
    ...[1, 4, 16].map((m) => one('lane', `of ${m}`, { enclave: ENCLAVE, from: FROM, m })),
  ];
}
