import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { missing, startRedis } from '../../test/parts/redis.ts';
import { broken, closeStores, once, open, put } from './scripts.test-util.ts';

const key = (name: string) => Buffer.from(name);

afterEach(closeStores);

describe('a Redis whose writes are counted', { skip: missing }, () => {
  test('answers each write with its script result, in order, binary values whole', async () => {
    const server = await startRedis();
    const store = await open(server);
    const value = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i & 255));
    const got = await Promise.all([
      ...Array.from({ length: 300 }, (_, i) => store.counted(put, [key(`k${i}`)], [i === 7 ? value : `v${i}`])),
      store.counted(once, [key('k7')], ['no']),
    ]);
    assert.deepEqual(got[7], value);
    assert.equal(String(got[299]), 'v299');
    assert.equal(got[300], 0);
    assert.deepEqual(await store.fetch('GET', key('k7')), value);
    assert.equal(await store.fetch('GET', key('none')), null);
    assert.deepEqual(await store.fetch('GET', Buffer.from([0, 255, 13, 10])), null);
    await store.close();
    await server.remove();
  });

  test('an error of one script is unknown for that write alone', async () => {
    const server = await startRedis();
    const store = await open(server);
    const generation = store.generation;
    const [good, bad, last] = await Promise.allSettled([
      store.counted(put, [key('a')], ['1']),
      store.counted(broken, [key('b')], []),
      store.counted(put, [key('c')], ['3']),
    ]);
    assert.equal(good.status, 'fulfilled');
    assert.equal(last.status, 'fulfilled');
    assert.equal(bad.status === 'rejected' && bad.reason.reason, 'refused');
    assert.equal(store.generation, generation);
    await store.close();
    await server.remove();
  });

  test('closing carries out what is queued; calls after it are unknown', async () => {
    const server = await startRedis();
    const store = await open(server);
    const last = store.counted(put, [key('a')], ['1']);
    const closed = store.close();
    await assert.rejects(store.counted(put, [key('b')], ['1']), { reason: 'closed' });
    assert.equal(String(await last), '1');
    await closed;
    await assert.rejects(store.fetch('GET', key('a')), { reason: 'closed' });
    await server.remove();
  });
});
