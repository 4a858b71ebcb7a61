import { type CommitDraft, commitJson, signCommit } from '../../protocol/commit.ts';
import { toHex } from '../../protocol/hex.ts';
import { noble } from '../../protocol/secp.ts';
import { makeSession } from '../../protocol/session.ts';
import { encodeKvKey } from '../../protocol/smt-keys.ts';
import { type Case, ENCLAVE, FROM, hex, one, SECRET, SEQUENCER_SECRET } from './cases.ts';
import type { Input } from './evaluate.ts';
import { DRAFTS } from './signed-cases.ts';

export function requestCases(): Case[] {
  const session = makeSession(SECRET, noble.publicKey(SEQUENCER_SECRET) as Uint8Array, 1_700_003_600);
  const envelope = { enclave: ENCLAVE, from: FROM, session };
  const post = (name: string, body: unknown, more: Input = {}): Case =>
    one('inspect', name, { mode: 'post', body: typeof body === 'string' ? body : JSON.stringify(body), ...more });
  const query = (filter: unknown): object => ({ type: 'Query', ...envelope, filter });
  const call = (mode: string, name: string, params: object): Case =>
    one('inspect', `${mode}: ${name}`, { mode, body: JSON.stringify({ ...envelope, ...params }) });
  const commit = commitJson(signCommit(DRAFTS['with tags'] as CommitDraft, SECRET));
  const kv = toHex(encodeKvKey({ kind: 'shared', key: 'topic' }));
  const filters: unknown[] = [
    {},
    { id: hex('id') },
    { id: [hex('id'), hex('id2')], from: FROM },
    { type: ['Chat', 'Move'], seq: { start_after: 4, end_before: 9 } },
    { seq: [1, 2], timestamp: { start_at: 1 } },
    { tags: { t: 'x', u: ['y', 'z'], v: true } },
    { lane: 1, limit: 1000, reverse: true },
    null,
    { unknown: 1 },
    { id: 'x' },
    { id: [] },
    { seq: -1 },
    { seq: { start_at: 1, start_after: 1 } },
    { limit: 0 },
    { limit: 1001 },
    { tags: { t: false } },
    { type: 'a b' },
    { lane: -1 },
  ];
  return [
    post('a commit', commit),
    post('an array of a commit and what is none', `[${commit},{}]`),
    post('an empty array', '[]'),
    post('a commit without enclave', commit.replace(`"enclave":"${ENCLAVE}",`, '')),
    post('a commit without enclave under its path', commit.replace(`"enclave":"${ENCLAVE}",`, ''), {
      enclave: ENCLAVE,
    }),
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
