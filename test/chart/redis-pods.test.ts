import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sentinelMissing } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';
import { RedisPods } from './redis-pods.ts';

const PODS = 3;
/** What a fail-over may take on a busy machine, ms. */
const FAIL_OVER_MS = 30_000;
/** Long enough for Sentinels to have done what they would do (they hold for dead what is silent for 1 s), ms. */
const NOTHING_MS = 5000;

describe("the chart's Redis pods", { skip: sentinelMissing || process.platform !== 'linux' }, () => {
  const pods = sentinelMissing ? null : new RedisPods(PODS);
  const own = pods as RedisPods;
  before(() => own.start());
  after(() => own.remove());
  let wrote = 0;
  const write = (primary: number): void => {
    assert.equal(own.call(primary, 'SET', 'last', String(++wrote)), 'OK');
    assert.equal(own.call(primary, 'WAIT', String(PODS - 1), '900'), String(PODS - 1));
  };
  const read = (pod: number): number => Number(own.call(pod, 'GET', 'last'));

  test('the first start has one primary; replicas are ready when they may be promoted', async () => {
    await waitFor('a replica', FAIL_OVER_MS, () => own.info(1).get('role') === 'slave');
    if (own.info(1).get('slave_priority') === '0') assert.equal(own.run(1, 'ready'), 1);
    assert.equal(await own.whole(), 0);
    write(0);
  });

  test('a primary that dies and comes back at once, with or without its disk, is a replica and was nothing else', async () => {
    for (const wipe of [false, true]) {
      const primary = await own.whole();
      write(primary);
      await own.kill(primary, 'start');
      if (wipe) own.wipe(primary);
      own.startContainer(primary, 'start');
      const roles = new Set<string>();
      await waitFor('its return', FAIL_OVER_MS, () => {
        const role = own.info(primary).get('role');
        if (role !== undefined) roles.add(role);
        return role;
      });
      const now = await own.whole();
      assert.notEqual(now, primary);
      assert.deepEqual([...roles], ['slave']);
      assert.equal(read(now), wrote);
      assert.equal(read(primary), wrote);
    }
  });

  test('a primary that is to stop hands over, and no write needs it any more when it goes', async () => {
    const primary = await own.whole();
    // As the kubelet does it: other containers of the pod are ended at the same time.
    await own.kill(primary, 'warden');
    assert.equal(own.run(primary, 'pre-stop'), 0);
    assert.equal(own.info(primary).get('role'), 'slave');
    assert.equal(own.info(primary).get('slave_priority'), '0');
    await own.kill(primary);
    own.start(primary);
    const now = await own.whole();
    assert.notEqual(now, primary);
    assert.equal(read(now), wrote);
  });

  test('when all are to stop, the last one that took over is the primary again', async () => {
    const primary = await own.whole();
    write(primary);
    // The wardens have ended already, so nobody has noted the change.
    for (const pod of own.hosts.keys()) await own.kill(pod, 'warden');
    assert.equal(own.run(primary, 'pre-stop'), 0);
    const [heir] = own.primaries();
    assert.notEqual(heir, primary);
    await Promise.all([...own.hosts.keys()].map((pod) => own.kill(pod)));
    own.start();
    assert.equal(await own.whole(), heir);
    assert.equal(read(heir as number), wrote);
  });

  test('when all stop at once, the same one is the primary again, with everything', async () => {
    const primary = await own.whole();
    write(primary);
    await Promise.all([...own.hosts.keys()].map((pod) => own.kill(pod)));
    own.start();
    assert.equal(await own.whole(), primary);
    assert.equal(read(primary), wrote);
  });

  test('when all stop and the disk of the primary is lost, nobody is the primary until somebody says which', async () => {
    const primary = await own.whole();
    const other = (primary + 1) % PODS;
    write(primary);
    await Promise.all([...own.hosts.keys()].map((pod) => own.kill(pod)));
    own.wipe(primary);
    own.start();
    await waitFor('its word', FAIL_OVER_MS, () =>
      /this disk is empty/.test(own.said(primary).split('starting').at(-1)!),
    );
    await sleep(NOTHING_MS);
    assert.deepEqual(own.primaries(), []);
    assert.equal(own.run(other, 'allow-promotion'), 0);
    assert.equal(await own.whole(), other);
    for (const pod of own.hosts.keys()) assert.equal(read(pod), wrote);
  });
});
