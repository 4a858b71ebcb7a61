import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answered, manifest, member, owner, receipted, refused, stranger, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { json, person, sign, toHex } from './people.ts';

const TOKEN = 'an-admin-token-for-tests';
const E = 'ee'.repeat(32);
const KEY = '33'.repeat(32);
const PUBLIC = '3c72addb4fdf09af94f0c94d7fe92a386a7e70cf8a1d85916386bb2535c7b1b1';

describe('who is the operator', () => {
  let node: TestNode;
  let enclave: TestEnclave;
  before(async () => {
    node = await TestNode.start();
    enclave = await TestEnclave.found(node);
  });
  after(() => node[Symbol.asyncDispose]());

  const close = (headers: Record<string, string> = {}) =>
    node.post(`/enclaves/${enclave.id}/close-bundle`, '', headers);

  it('in development: whoever comes directly from this machine', async () => {
    assert.equal((await close()).status, 200);
    assert.equal((await close({ host: 'localhost' })).status, 200);
    assert.equal((await close({ origin: 'http://localhost:3000' })).status, 200);
  });

  const refusals: [string, Record<string, string>][] = [
    ['a Host from elsewhere', { host: 'node.example' }],
    ['a Host that only looks like loopback', { host: 'localhost.example' }],
    ['a Host with user info', { host: '127.0.0.1@example' }],
    ['Forwarded', { forwarded: 'for=1.2.3.4' }],
    ['X-Forwarded-For', { 'x-forwarded-for': '127.0.0.1' }],
    ['X-Real-IP', { 'x-real-ip': '127.0.0.1' }],
    ['Via', { via: '1.1 proxy' }],
    ['an Origin from elsewhere', { origin: 'https://evil.example' }],
    ['the null Origin', { origin: 'null' }],
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['an empty token', { authorization: 'Bearer ' }],
    ['another scheme', { authorization: 'Basic eDp5' }],
  ];
  for (const [what, headers] of refusals) {
    it(`refuses ${what}`, async () => refused(await close(headers), 'unauthorized'));
  }

  it('takes the token that the node made up, whatever else is said', async () => {
    const authorization = `Bearer ${node.madeUpToken}`;
    assert.equal((await close({ authorization, host: 'node.example', 'x-forwarded-for': '1.2.3.4' })).status, 200);
    refused(await close({ authorization: authorization.toUpperCase() }), 'unauthorized');
    refused(await close({ authorization: `${authorization}0` }), 'unauthorized');
  });

  it('with a configured token: its bearer alone, for every admin call', async () => {
    await using closed = await TestNode.start({ adminToken: TOKEN });
    const own = await TestEnclave.found(closed);
    const calls: [string, string][] = [
      ['POST', `/enclaves/${own.id}/close-bundle`],
      ['POST', `/enclaves/${own.id}/restore`],
      ['POST', `/enclaves/${own.id}/recover`],
      ['POST', `/enclaves/${E}/init-with-priv`],
      ['GET', `/enclaves/${own.id}/snapshot`],
      ['GET', `/${own.id}/snapshot`],
    ];
    for (const [method, path] of calls) {
      for (const headers of [{}, { authorization: 'Bearer nearly' }] as Record<string, string>[]) {
        refused(await closed.ask({ method, path, headers, ...(method === 'POST' && { body: '{}' }) }), 'unauthorized');
      }
    }
    const answer = await closed.post(`/enclaves/${own.id}/close-bundle`, '', { authorization: `Bearer ${TOKEN}` });
    assert.equal(answer.status, 200, answer.body);
  });
});

describe('init-with-priv', () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.start();
  });
  after(() => node[Symbol.asyncDispose]());

  const init = (id: string, body: unknown) => node.post(`/enclaves/${id}/init-with-priv`, body);

  it('answers the public key of PROTOCOL §11, exactly as written there', async () => {
    answered(
      await init(E, { enclave_id: E, sequencer_priv: KEY }),
      `{"ok":true,"enclave_id":"${E}","sequencer_pubkey":"${PUBLIC}"}`,
    );
  });

  it('without a creator, takes the Manifest only together with the admin token', async () => {
    const id = 'e1'.repeat(32);
    await init(id, { sequencer_priv: KEY });
    const founded = sign(owner, id, 'Manifest', manifest(), { exp: node.now() + 60_000 });
    refused(await node.post('/', json(founded), { 'x-forwarded-for': '1.2.3.4' }), 'forbidden');
    refused(await node.post('/', { type: 'Info', enclave: id }), 'enclave_not_found');
    const receipt = receipted(
      await node.post('/', json(founded), { authorization: `Bearer ${node.madeUpToken}` }),
      founded,
    );
    assert.equal(receipt.sequencer, PUBLIC);
    refused(await init(id, { sequencer_priv: KEY }), 'enclave_exists');
  });

  it('with a creator, takes the Manifest from that identity alone', async () => {
    const id = 'e2'.repeat(32);
    assert.equal((await init(id, { enclave_id: id, sequencer_priv: '44'.repeat(32), creator: owner.id })).status, 200);
    const foreign = sign(member, id, 'Manifest', manifest(), { exp: node.now() + 60_000 });
    refused(await node.post('/', json(foreign), { 'x-forwarded-for': '1.2.3.4' }), 'forbidden');
    const founded = sign(owner, id, 'Manifest', manifest(), { exp: node.now() + 60_000 });
    receipted(await node.post('/', json(founded), { 'x-forwarded-for': '1.2.3.4' }), founded);
  });

  it('never gives the key away, and keeps the first one', async () => {
    const id = 'e3'.repeat(32);
    await init(id, { sequencer_priv: KEY });
    const again = await init(id, { sequencer_priv: '55'.repeat(32) });
    assert.ok(!again.body.includes('33333333') && !again.body.includes('55555555'));
    const same = await init(id, { sequencer_priv: KEY });
    assert.ok([200, 409].includes(same.status), same.body);
  });

  const bad: [string, unknown, 'invalid_commit' | 'invalid_json'][] = [
    ['no JSON', 'x', 'invalid_json'],
    ['an empty body', '', 'invalid_json'],
    ['duplicate keys', `{"sequencer_priv":"${KEY}","sequencer_priv":"${KEY}"}`, 'invalid_json'],
    ['no object', '[]', 'invalid_commit'],
    ['no key', {}, 'invalid_commit'],
    ['another id than in the path', { enclave_id: E, sequencer_priv: KEY }, 'invalid_commit'],
    ['a short key', { sequencer_priv: '33' }, 'invalid_commit'],
    ['a key of zero', { sequencer_priv: '00'.repeat(32) }, 'invalid_commit'],
    ['a key beyond the order', { sequencer_priv: 'ff'.repeat(32) }, 'invalid_commit'],
    ['a key that is a number', { sequencer_priv: 3 }, 'invalid_commit'],
    ['a creator that is no identity', { sequencer_priv: KEY, creator: 'me' }, 'invalid_commit'],
    ['unknown fields', { sequencer_priv: KEY, more: 1 }, 'invalid_commit'],
  ];
  for (const [what, body, code] of bad) {
    it(`refuses ${what} with ${code}`, async () => refused(await init('e4'.repeat(32), body), code));
  }

  it('refuses a path that is no id', async () => refused(await init('zz', { sequencer_priv: KEY }), 'invalid_route'));

  it('refuses an enclave that is here already', async () => {
    const own = await TestEnclave.found(node);
    refused(await init(own.id, { sequencer_priv: KEY }), 'enclave_exists');
    assert.notEqual(own.sequencer, toHex(person('x').secret));
    await own.commit(owner, 'note', 'goes on');
    refused(await own.send(stranger, 'note', 'no'), 'forbidden');
  });
});
