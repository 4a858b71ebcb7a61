import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { verifyBundlePath } from '../../protocol/bundle-tree.ts';
import { encodeCbor } from '../../protocol/cbor.ts';
import { verifyConsistency, verifyInclusion } from '../../protocol/ct.ts';
import { ctLeaf, ctLeafData, EMPTY_HASH } from '../../protocol/hash.ts';
import { parseJson } from '../../protocol/json.ts';
import { parseSmtProof, smtVerify } from '../../protocol/smt.ts';
import { smtKey, smtNumber } from '../../protocol/smt-keys.ts';
import { parseSth, type Sth, sthJson, verifySth } from '../../protocol/sth.ts';
import { answered, member, owner, reader, refused, stranger, TestEnclave } from './enclave.ts';
import type { RawAnswer } from './http.ts';
import { TestNode } from './node.ts';
import { secp, toHex, unhex } from './people.ts';

let node: TestNode;
let enclave: TestEnclave;
let head: Sth;
const ids: string[] = [];

before(async () => {
  node = await TestNode.start();
  enclave = await TestEnclave.found(node);
  for (let n = 1; n <= 13; n++) await enclave.commit(n % 2 ? owner : member, n % 2 ? 'note' : 'chat', { n }, {});
  await enclave.commit(owner, 'Shared', { key: 'topic', value: 'x' });
  await enclave.commit(member, 'Own', { key: 'profile/name', value: 'm' });
  ids.push(...(await enclave.events(owner)).map(({ id }) => id as string));
  head = await sth();
});
after(() => node[Symbol.asyncDispose]());

/** The fields of all proofs together. */
interface Told {
  readonly ts: number;
  readonly ts1: number;
  readonly ts2: number;
  readonly li: number;
  readonly p: string[];
  readonly events_root: string;
  readonly state_hash: string;
  readonly first_seq: number;
  readonly bundle_size: number;
  readonly event_id: string;
  readonly bundle_index: number;
  readonly leaf_index: number;
  readonly siblings: string[];
  readonly k: string;
  readonly v: string | null;
  readonly proofs: unknown[];
}

const asked = (answer: RawAnswer): Told => {
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body) as Told;
};
const nodes = (list: unknown): Uint8Array[] => (list as string[]).map(unhex);

async function sth(of = enclave): Promise<Sth> {
  const answer = await node.get(`/${of.id}/sth`);
  const parsed = parseSth(parseJson(answer.bytes)?.value ?? null);
  assert.ok(parsed, answer.body);
  assert.ok(verifySth(parsed, secp));
  answered(answer, sthJson(parsed));
  return parsed;
}

describe('tree heads', () => {
  it('are public, signed, canonical, and the same on both paths', async () => {
    assert.deepEqual(
      { ts: head.ts, enclave: head.enclave, sequencer: head.sequencer },
      { ts: 4, enclave: enclave.id, sequencer: enclave.sequencer },
    );
    answered(await node.get(`/enclave/${enclave.id}/sth`), sthJson(head));
  });

  it('are there from the Manifest on, and not signed anew by a GET', async () => {
    const fresh = await TestEnclave.found(node);
    const first = await sth(fresh);
    assert.deepEqual([first.ts, first.r], [0, toHex(EMPTY_HASH)]);
    assert.equal(first.t, (await fresh.info())['timestamp']);
    assert.deepEqual(await sth(fresh), first);
  });

  it('of unknown enclaves are not found', async () => {
    refused(await node.get(`/${'ab'.repeat(32)}/sth`), 'enclave_not_found');
    refused(await node.get(`/enclave/${'ab'.repeat(32)}/sth`), 'enclave_not_found');
    refused(await node.get('/zz/sth'), 'invalid_route');
    refused(await node.get(`/${'AB'.repeat(32)}/sth`), 'invalid_route');
  });
});

describe('consistency', () => {
  it('proves that one tree continues the other', async () => {
    const own = await TestEnclave.found(node);
    const heads = [await sth(own)];
    for (let n = 0; n < 5; n++) {
      await own.commit(owner, 'note', { n });
      heads.push(parseSth(parseJson((await own.closeBundle()).bytes)?.value ?? null)!);
    }
    for (const from of heads) {
      for (const to of heads.filter(({ ts }) => ts >= from.ts)) {
        const answer = await node.get(`/${own.id}/consistency?from=${from.ts}&to=${to.ts}`);
        const { ts1, ts2, p } = asked(answer);
        assert.ok(verifyConsistency(from.ts, to.ts, unhex(from.r), unhex(to.r), nodes(p)), answer.body);
        answered(answer, `{"ts1":${ts1},"ts2":${ts2},"p":${JSON.stringify(p)}}`);
      }
    }
  });

  it('goes up to the current tree head when none is named', async () => {
    assert.equal(asked(await node.get(`/${enclave.id}/consistency?from=1`))['ts2'], 4);
  });

  for (const query of [
    '',
    '?from=',
    '?from=x',
    '?from=-1',
    '?from=1&to=x',
    '?from=1.5',
    '?from=01',
    '?from=2&to=1',
    '?from=1&from=2',
    `?from=${'9'.repeat(30)}`,
  ]) {
    it(`refuses ${query || 'no from'}`, async () =>
      refused(await node.get(`/${enclave.id}/consistency${query}`), 'invalid_filter'));
  }

  it('beyond the last bundle is bundle_open', async () => {
    refused(await node.get(`/${enclave.id}/consistency?from=1&to=5`), 'bundle_open');
    refused(await node.get(`/${'ab'.repeat(32)}/consistency?from=0&to=0`), 'enclave_not_found');
  });
});

describe('inclusion and bundle proofs', () => {
  it('lead from every event to the signed tree head', async () => {
    for (let seq = 0; seq < 16; seq++) {
      const inBundle = await enclave.call('/bundle', owner, seq % 2 ? { seq } : { id: ids[seq] });
      const b = asked(inBundle);
      const included = await enclave.call('/inclusion', owner, seq % 2 ? { id: ids[seq] } : { seq });
      const i = asked(included);
      assert.equal(b['event_id'], ids[seq]);
      assert.equal(b['leaf_index'], i['li']);
      assert.ok(
        verifyBundlePath(
          unhex(i['events_root']),
          unhex(ids[seq]!),
          b['bundle_index'],
          b['bundle_size'],
          nodes(b['siblings']),
        ),
      );
      const leaf = ctLeaf(
        ctLeafData(unhex(i['events_root']), unhex(i['state_hash']), i['first_seq'], i['bundle_size']),
      );
      assert.ok(verifyInclusion(unhex(head.r), leaf, i['li'], head.ts, nodes(i['p'])));
      answered(
        included,
        `{"ts":${i['ts']},"li":${i['li']},"p":${JSON.stringify(i['p'])},"events_root":"${i['events_root']}","state_hash":"${i['state_hash']}","first_seq":${i['first_seq']},"bundle_size":${i['bundle_size']}}`,
      );
      answered(
        inBundle,
        `{"event_id":"${ids[seq]}","bundle_index":${b['bundle_index']},"bundle_size":${b['bundle_size']},"siblings":${JSON.stringify(b['siblings'])},"leaf_index":${b['leaf_index']}}`,
      );
    }
  });

  it('are made for older trees too, and by leaf', async () => {
    const old = asked(await enclave.call('/inclusion', owner, { seq: 0, ts: 1 }));
    assert.deepEqual([old['ts'], old['li'], old['p']], [1, 0, []]);
    assert.equal(asked(await enclave.call('/inclusion', member, { leaf_index: 3 }))['li'], 3);
  });

  it('are the same calls by path', async () => {
    const { body } = await enclave.call('/bundle', owner, { seq: 5 });
    answered(await enclave.call(`/enclave/${enclave.id}/bundle`, owner, { seq: 5 }), body);
    const { enclave: _left, ...rest } = enclave.envelope(owner);
    answered(await node.post(`/enclave/${enclave.id}/bundle`, { ...rest, seq: 5 }), body);
    refused(await enclave.call(`/enclave/${'ab'.repeat(32)}/bundle`, owner, { seq: 5 }), 'invalid_commit');
  });

  it('follow reading', async () => {
    const note = { seq: 1 };
    const chat = { seq: 2 };
    for (const path of ['/inclusion', '/bundle']) {
      assert.equal((await enclave.call(path, reader, note)).status, 200);
      refused(await enclave.call(path, reader, chat), 'forbidden');
      refused(await enclave.call(path, member, note), 'forbidden');
      assert.equal((await enclave.call(path, member, chat)).status, 200);
      refused(await enclave.call(path, stranger, chat), 'forbidden');
      refused(await enclave.call(path, reader, { id: 'ab'.repeat(32) }), 'forbidden');
      refused(await enclave.call(path, owner, { id: 'ab'.repeat(32) }), 'event_not_found');
      refused(await enclave.call(path, owner, { seq: 99 }), 'event_not_found');
    }
  });

  it('need a closed bundle', async () => {
    const own = await TestEnclave.found(node);
    refused(await own.call('/inclusion', owner, { seq: 0 }), 'bundle_open');
    refused(await own.call('/bundle', owner, { seq: 0 }), 'bundle_open');
    refused(await own.call('/state', owner, { namespace: 'rbac', key: owner.id }), 'bundle_open');
    refused(await enclave.call('/inclusion', owner, { seq: 0, ts: 9 }), 'bundle_open');
    await own.closeBundle();
    assert.equal((await own.call('/bundle', owner, { seq: 0 })).status, 200);
  });

  const bad: object[] = [
    {},
    { seq: -1 },
    { seq: '1' },
    { seq: null },
    { id: 'x' },
    { id: 'AB'.repeat(32) },
    { seq: 1, id: 'ab'.repeat(32) },
  ];
  for (const more of bad) {
    it(`refuse ${JSON.stringify(more)}`, async () => {
      refused(await enclave.call('/inclusion', owner, more), 'invalid_filter');
      refused(await enclave.call('/bundle', owner, more), 'invalid_filter');
    });
  }

  it('refuse what only the other one takes, and unknown fields', async () => {
    refused(await enclave.call('/inclusion', owner, { seq: 1, ts: -1 }), 'invalid_filter');
    for (const more of [{ leaf_index: 1 }, { seq: 1, ts: 1 }]) {
      const { body } = await enclave.call('/bundle', owner, more);
      assert.match(body, /invalid_(filter|commit)/);
    }
    refused(await enclave.call('/inclusion', owner, { seq: 1, more: 1 }), 'invalid_commit');
  });
});

describe('state proofs', () => {
  const cases: [string, string, () => string, () => Uint8Array | null][] = [
    ['a member', 'rbac', () => member.id, () => smtNumber(1)],
    ['a holder of a trait', 'rbac', () => owner.id, () => smtNumber(1 + 256)],
    ['a stranger', 'rbac', () => stranger.id, () => null],
    ['an event that was not touched', 'event_status', () => ids[1]!, () => null],
    ['an active enclave', 'kv', () => toHex(encodeCbor(['status'])), () => null],
    ['a shared slot', 'kv', () => toHex(encodeCbor(['shared', 'topic'])), () => null],
    ['a gate at its default', 'kv', () => toHex(encodeCbor(['gate', 'door'])), () => null],
    ["a slot of one's own", 'kv', () => toHex(encodeCbor(['own', 'profile/name', unhex(member.id)])), () => null],
  ];
  for (const [what, namespace, key, value] of cases) {
    it(`of ${what} verify against the last closed bundle`, async () => {
      const answer = await enclave.call('/state', owner, { namespace, key: key() });
      const told = asked(answer);
      const proof = parseSmtProof(parseJson(answer.bytes)?.value ?? null, ['state_hash', 'leaf_index']);
      assert.ok(proof, answer.body);
      assert.ok(smtVerify(unhex(told['state_hash']), proof));
      assert.equal(told['leaf_index'], 3);
      const number = { rbac: 0, event_status: 1, kv: 2 }[namespace] as 0 | 1 | 2;
      assert.equal(told['k'], toHex(smtKey(number, unhex(key()))));
      const wanted = value();
      if (namespace === 'rbac') assert.equal(told['v'], wanted && toHex(wanted));
      const included = asked(await enclave.call('/inclusion', owner, { leaf_index: told['leaf_index'] }));
      assert.equal(included['state_hash'], told['state_hash']);
    });
  }

  it('come in batches over one state', async () => {
    const keys = [owner.id, member.id, stranger.id];
    const told = asked(await enclave.call('/state-batch', owner, { namespace: 'rbac', keys }));
    assert.equal(told['proofs'].length, 3);
    const single = asked(await enclave.call('/state', owner, { namespace: 'rbac', key: member.id }));
    const { state_hash, leaf_index, ...proof } = single;
    assert.deepEqual(told['proofs'][1], proof);
    assert.deepEqual([told['state_hash'], told['leaf_index']], [state_hash, leaf_index]);
    answered(
      await enclave.call(`/enclave/${enclave.id}/state-batch`, owner, { namespace: 'rbac', keys }),
      (await enclave.call('/state-batch', owner, { namespace: 'rbac', keys })).body,
    );
    asked(await enclave.call('/state-batch', owner, { namespace: 'rbac', keys: Array(256).fill(owner.id) }));
  });

  it('follow reading', async () => {
    const status = toHex(encodeCbor(['status']));
    const slot = toHex(encodeCbor(['shared', 'topic']));
    const gate = toHex(encodeCbor(['gate', 'door']));
    assert.equal(
      (await enclave.call('/state', stranger, { namespace: 'rbac', key: stranger.id })).status,
      200,
      "one's own",
    );
    assert.equal(
      (await enclave.call('/state', stranger, { namespace: 'kv', key: status })).status,
      200,
      'the status of the enclave',
    );
    refused(await enclave.call('/state', stranger, { namespace: 'rbac', key: owner.id }), 'forbidden');
    refused(await enclave.call('/state', stranger, { namespace: 'kv', key: slot }), 'forbidden');
    refused(await enclave.call('/state', stranger, { namespace: 'kv', key: gate }), 'forbidden');
    refused(await enclave.call('/state', reader, { namespace: 'event_status', key: ids[2] }), 'forbidden');
    assert.equal((await enclave.call('/state', reader, { namespace: 'event_status', key: ids[1] })).status, 200);
    assert.equal((await enclave.call('/state', member, { namespace: 'rbac', key: owner.id })).status, 200, 'R on Move');
    refused(
      await enclave.call('/state-batch', stranger, { namespace: 'rbac', keys: [stranger.id, owner.id] }),
      'forbidden',
    );
  });

  const bad: object[] = [
    {},
    { namespace: 'other', key: owner.id },
    { namespace: 'rbac', key: 'ab' },
    { namespace: 'rbac' },
    { namespace: 'rbac', key: null },
    { namespace: 'kv', key: '' },
    { namespace: 'kv', key: '80' },
    { namespace: 'kv', key: toHex(encodeCbor(['nothing', 'x'])) },
    { namespace: 'event_status', key: 'AB'.repeat(32) },
    { namespace: 1, key: owner.id },
  ];
  for (const more of bad) {
    it(`refuse ${JSON.stringify(more).slice(0, 70)}`, async () =>
      refused(await enclave.call('/state', owner, more), 'invalid_filter'));
  }

  it('refuse batches that are too long or of another shape', async () => {
    for (const keys of [Array(257).fill(owner.id), 'x', null, [1], {}]) {
      refused(await enclave.call('/state-batch', owner, { namespace: 'rbac', keys }), 'invalid_filter');
    }
  });
});

describe('close-bundle', () => {
  it('answers the new tree head, and the same one again when nothing is open', async () => {
    const own = await TestEnclave.found(node);
    const closed = await own.closeBundle();
    assert.equal(asked(closed)['ts'], 1);
    answered(await own.closeBundle(), closed.body);
    answered(await node.get(`/${own.id}/sth`), closed.body);
    refused(await node.post(`/enclaves/${'ab'.repeat(32)}/close-bundle`, ''), 'enclave_not_found');
  });

  it('comes by itself when the timeout is over', async () => {
    const own = await TestEnclave.found(node);
    node.skew += 700_000;
    assert.equal((await sth(own)).ts, 1);
  });
});
