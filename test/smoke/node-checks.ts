import assert from 'node:assert/strict';
import { EncClient, type Enclave, generateKey, type Receipt, Refused } from '../../client/index.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import type { Checks } from './checks.ts';

/** One short life against a running node: everything that comes back is verified by the SDK. */
export async function smokeNode(checks: Checks, url: string): Promise<void> {
  const secp = openSecp256k1();
  const client = new EncClient(url, { secp, retryMs: 5000 });
  const key = generateKey(secp);
  const stranger = generateKey(secp);
  let enclave: Enclave | null = null;
  let receipt: Receipt | null = null;
  const reachable = await checks.check('the node says what it is', async () =>
    assert.ok((await client.node()).version),
  );
  if (!reachable) return;
  await checks.check('an enclave is created', async () => {
    const created = await client.create(key, {
      enc_v: 2,
      bundle: { size: 2 },
      RBAC: {
        states: ['OWNER'],
        readers: [{ type: 'OWNER', reads: '*' }],
        customs: [{ event: 'note', operator: 'OWNER', ops: ['C'] }],
        init: [{ identity: key.id, state: 'OWNER', traits: [] }],
      },
    });
    enclave = created.enclave;
  });
  const opened = (): Enclave => {
    assert.ok(enclave, 'there is no enclave');
    return enclave;
  };
  await checks.check('a commit gets a receipt that verifies', async () => {
    receipt = await opened().commit('note', { text: 'hello' });
    assert.equal(receipt.seq, 1);
  });
  await checks.check('the same commit again gets the same receipt', async () => {
    const commit = await opened().build('note', { text: 'twice' });
    assert.deepEqual(await opened().submit(commit), await opened().submit(commit));
  });
  await checks.check('a query finds the event', async () => {
    const events = await opened().query({ type: 'note' });
    assert.equal(events.length, 2);
  });
  await checks.check('event, bundle and tree head prove each other', async () => {
    assert.ok(receipt);
    await opened().prove({ id: receipt.id });
  });
  await checks.check('a stranger is refused', async () => {
    const other = client.enclave(opened().id, { key: stranger });
    await assert.rejects(
      other.commit('note', { text: 'no' }),
      (error) => error instanceof Refused && error.code === 'forbidden',
    );
  });
}
