import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { answered, member, refused, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { json } from './people.ts';

let node: TestNode;
let enclave: TestEnclave;

before(async () => {
  node = await TestNode.start();
  enclave = await TestEnclave.found(node);
});
after(() => node[Symbol.asyncDispose]());

const head = async (): Promise<string> => `"timestamp":${(await enclave.info())['timestamp']}`;

it('answers the receipt to whoever has the signature', async () => {
  const commit = enclave.sign(member, 'chat', { n: 1 });
  const { body } = await node.post('/', json(commit));
  answered(await node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`), body);
});

it('answers the receipt of the Manifest', async () => {
  const { hash, sig } = enclave.manifest;
  const answer = await node.get(`/${enclave.id}/receipt/${hash}?sig=${sig}`);
  assert.equal((JSON.parse(answer.body) as { seq: number }).seq, 0);
});

it('hides the event from anybody else', async () => {
  const commit = enclave.sign(member, 'chat', { n: 2 });
  await node.post('/', json(commit));
  for (const query of [
    '',
    '?sig=',
    '?sig=00',
    `?sig=${'00'.repeat(64)}`,
    `?sig=${commit.sig.toUpperCase()}`,
    `?sig=${commit.sig}00`,
    `?sig=${commit.sig}&sig=${commit.sig}`,
  ]) {
    refused(await node.get(`/${enclave.id}/receipt/${commit.hash}${query}`), 'event_not_found', await head());
  }
});

it('tells the time of the head for an unknown hash: from exp on, it never was and never will be', async () => {
  const commit = enclave.sign(member, 'chat', { lost: true }, { exp: node.now() + 1000 });
  refused(await node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`), 'event_not_found', await head());
  node.skew += 2000;
  await enclave.commit(member, 'chat', 'time goes on');
  refused(await node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`), 'event_not_found', await head());
  assert.ok(((await enclave.info())['timestamp'] as number) >= commit.exp);
  refused(await node.post('/', json(commit)), 'expired');
});

it('still answers after exp, when the hash itself is forgotten', async () => {
  const commit = enclave.sign(member, 'chat', { old: true }, { exp: node.now() + 1000 });
  const { body } = await node.post('/', json(commit));
  node.skew += 5000;
  await enclave.commit(member, 'chat', 'later');
  answered(await node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`), body);
});

it('refuses misshapen paths and unknown enclaves', async () => {
  const sig = 'ab'.repeat(64);
  refused(await node.get(`/${enclave.id}/receipt/zz?sig=${sig}`), 'invalid_route');
  refused(await node.get(`/zz/receipt/${'ab'.repeat(32)}?sig=${sig}`), 'invalid_route');
  refused(await node.get(`/${'ab'.repeat(32)}/receipt/${'ab'.repeat(32)}?sig=${sig}`), 'enclave_not_found');
});

it('waits for batches in flight', async () => {
  const commit = enclave.sign(member, 'chat', { flight: true });
  const [posted, asked] = await Promise.all([
    node.post('/', json(commit)),
    new Promise(setImmediate).then(() => node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`)),
  ]);
  assert.ok(asked.body === posted.body || (JSON.parse(asked.body) as { error: string }).error === 'event_not_found');
  answered(await node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`), posted.body);
});
