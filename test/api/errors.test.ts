import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, it } from 'node:test';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { manifest, member, owner, refused, stranger, TestEnclave } from './enclave.ts';
import type { RawAnswer } from './http.ts';
import { TestNode } from './node.ts';
import { founding, json, person, session } from './people.ts';

/** Codes that no client can bring about on a healthy node, and where they are tested instead. */
const ELSEWHERE: Partial<Record<ErrorCode, string>> = {
  fenced: 'needs a second process that takes the enclave over: shard/enclave and test/faults',
  internal: 'has no known cause: the fuzz targets fail when they see one',
  unavailable: 'needs a failed or unknown append: shard/enclave and test/faults',
  enclave_regressed: 'needs an older copy of the log: snapshots.test.ts',
};

let node: TestNode;
let narrow: TestNode;
let enclave: TestEnclave;
before(async () => {
  node = await TestNode.start();
  narrow = await TestNode.start({
    flags: ['--max-enclaves-per-creator', '1', '--max-pending-bytes', '1MiB', '--max-body', '1MiB'],
    adminToken: 'token-of-this-test',
  });
  enclave = await TestEnclave.found(node, manifest({ bundle: { size: 4096, timeout: 600_000 } }));
});
after(async () => {
  await node[Symbol.asyncDispose]();
  await narrow[Symbol.asyncDispose]();
});

type Case = [ErrorCode, () => Promise<RawAnswer>, detail?: () => string | Promise<string>];
const move = (target: string, from: string, to: string): object => ({ target, from, to });
const soon = (): number => node.now() + 60_000;

const CASES: Case[] = [
  ['invalid_json', () => node.post('/', '{"a":1.5}')],
  ['invalid_commit', () => node.post('/', '{}')],
  ['invalid_hash', () => node.post('/', { ...plain('chat', 1), hash: 'ab'.repeat(32) })],
  ['invalid_filter', () => enclave.query(owner, { limit: 0 })],
  [
    'invalid_manifest',
    () => node.post('/', json(founding(owner, manifest({ enc_v: 3 }), { exp: soon() }))),
    () => '"path":"/enc_v"',
  ],
  ['invalid_content', () => enclave.send(owner, 'Gate', { alias: 'nothing', open: true })],
  ['invalid_snapshot', () => node.post(`/enclaves/${'ab'.repeat(32)}/restore`, 'no snapshot'), () => '"seq":0'],
  ['expired', () => enclave.send(member, 'chat', 1, { exp: node.now() - 1 })],
  ['exp_too_far', () => enclave.send(member, 'chat', 1, { exp: node.now() + 700_000 })],
  ['invalid_signature', () => node.post('/', { ...plain('chat', 2), sig: plain('chat', 3)['sig'] })],
  ['invalid_session', () => node.post('/', { type: 'Pull', ...enclave.envelope(owner), session: '00'.repeat(68) })],
  [
    'session_expired',
    () =>
      node.post('/', {
        type: 'Pull',
        ...enclave.envelope(owner),
        session: session(owner, enclave.sequencer, Math.floor(node.now() / 1000) - 100),
      }),
  ],
  ['unauthorized', () => narrow.get(`/enclaves/${enclave.id}/snapshot`)],
  ['forbidden', () => enclave.send(stranger, 'chat', 1)],
  [
    'rank',
    async () => {
      const [one, two] = [person('admin one'), person('admin two')];
      for (const who of [one, two]) {
        await enclave.commit(owner, 'Move', move(who.id, 'OUTSIDER', 'MEMBER'));
        await enclave.commit(owner, 'Grant', { target: who.id, trait: 'admin' });
      }
      return enclave.send(one, 'Revoke', { target: two.id, trait: 'admin' });
    },
  ],
  ['state_mismatch', () => enclave.send(owner, 'Move', move(member.id, 'OUTSIDER', 'MEMBER'))],
  ['no_change', () => enclave.send(owner, 'Gate', { alias: 'door', open: false })],
  ['owner_must_transfer', () => enclave.send(owner, 'Move', move(owner.id, 'MEMBER', 'OUTSIDER'))],
  ['gate_closed', () => enclave.send(stranger, 'Move', move(stranger.id, 'OUTSIDER', 'READER'))],
  ['enclave_not_found', () => node.post('/', { type: 'Info', enclave: 'ab'.repeat(32) })],
  [
    'event_not_found',
    () => node.get(`/${enclave.id}/receipt/${'ab'.repeat(32)}`),
    async () => `"timestamp":${(await enclave.info())['timestamp']}`,
  ],
  ['invalid_route', () => node.get('/nothing/here')],
  [
    'deleted',
    async () => {
      const { id } = await enclave.commit(owner, 'note', 1);
      await enclave.commit(owner, 'Delete', { target: id });
      return enclave.send(owner, 'Update', { target: id, content: 2 });
    },
  ],
  ['bundle_open', () => enclave.call('/bundle', owner, { seq: 0 })],
  [
    'enclave_exists',
    () => node.post('/', json(founding(owner, JSON.parse(json(enclave.manifest)).content, { exp: soon() + 1 }))),
  ],
  [
    'enclave_paused',
    async () => {
      const own = await TestEnclave.found(node);
      await own.commit(owner, 'Pause', {});
      return own.send(owner, 'note', 1);
    },
  ],
  [
    'enclave_read_only',
    async () => {
      const own = await TestEnclave.found(node);
      const { bytes } = await node.get(`/enclaves/${own.id}/snapshot`);
      const headers = { authorization: 'Bearer token-of-this-test', 'x-enc-sequencer': own.sequencer };
      assert.equal((await narrow.post(`/enclaves/${own.id}/restore`, bytes, headers)).status, 200);
      return narrow.post('/', json(own.sign(owner, 'note', 1)));
    },
  ],
  [
    'enclave_terminated',
    async () => {
      const own = await TestEnclave.found(node);
      await own.commit(owner, 'Terminate', {});
      return own.send(owner, 'note', 1);
    },
  ],
  [
    'enclave_migrated',
    async () => {
      const own = await TestEnclave.found(node);
      const head = JSON.parse((await own.closeBundle()).body) as { r: string };
      await own.commit(owner, 'Migrate', { new_sequencer: stranger.id, prev_seq: 0, ct_root: head.r });
      return own.send(owner, 'note', 1);
    },
    () => `"new_sequencer":"${stranger.id}"`,
  ],
  ['too_large', () => node.post('/', json(enclave.sign(member, 'chat', 'x'.repeat(2 ** 20))))],
  [
    'rate_limited',
    async () => {
      await TestEnclave.found(narrow);
      return narrow.post('/', json(founding(owner, manifest(), { exp: soon() })));
    },
  ],
  [
    'overloaded',
    async () => {
      const own = await TestEnclave.found(
        narrow,
        manifest({}, { init: [{ identity: owner.id, state: 'MEMBER', traits: ['owner'] }] }),
        member,
      ).catch(() => null);
      const target = own ?? enclave;
      const bodies = Array.from({ length: 12 }, () =>
        json(target.sign(owner, 'note', randomBytes(300_000).toString('hex').slice(0, 500_000))),
      );
      const answers = await Promise.all(bodies.map((body) => narrow.post('/', body)));
      return answers.find(({ status }) => status === 503) as RawAnswer;
    },
  ],
];

function plain(type: string, content: unknown): Record<string, unknown> {
  return JSON.parse(json(enclave.sign(member, type, content))) as Record<string, unknown>;
}

const seen = new Set<ErrorCode>();
for (const [code, make, detail] of CASES) {
  it(`${code} can be brought about from outside, with its status and exact body`, async () => {
    const answer = await make();
    refused(answer, code, (await detail?.()) ?? '');
    if (['rate_limited', 'overloaded', 'unavailable'].includes(code))
      assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
    seen.add(code);
  });
}

it('no code of the table is missing', () => {
  const missing = ERRORS.map(({ code }) => code).filter((code) => !seen.has(code) && !ELSEWHERE[code]);
  assert.deepEqual(missing, []);
  for (const code of seen) assert.ok(!ELSEWHERE[code], `${code} is no exception any more`);
});
