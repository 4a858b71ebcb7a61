import assert from 'node:assert/strict';
import type { NewCheckpoint } from '../../../shard/log/enclave-log.ts';
import { SampleEnclave } from '../sample-records.ts';
import { Driver, note, owner, type Using } from './driver.ts';

/** Checkpoints, and who stores them. */
export function checkpointTests(using: Using): void {
  using(
    'a checkpoint comes back with the recents that are still unexpired; two are kept; a gap is refused',
    async (backend) => {
      const log = await backend.open();
      const driver = await Driver.open(log, new SampleEnclave('checkpoints'));
      const { key } = driver.enclave;
      const store = async (base: string, recentFrom: number, recentMaxExp: number): Promise<void> => {
        const { head, timestamp } = driver.enclave;
        const checkpoint: NewCheckpoint = {
          head,
          base: Buffer.from(base),
          recent: Buffer.from(`recent of ${base}`),
          recentFrom,
          recentMaxExp,
          timestamp,
        };
        await log.checkpoint(key, driver.epoch, checkpoint);
      };
      await driver.acknowledged([note('a')], true);
      await store('first', 0, 25);
      await driver.acknowledged([note('b')], true);
      await store('second', 1, 1000);
      assert.deepEqual(
        (await log.open(key, owner(2))).checkpoint?.recents.map((one) => Buffer.from(one).toString()),
        ['recent of first', 'recent of second'],
      );
      driver.epoch = (await log.open(key, owner(3))).epoch;
      await driver.acknowledged([note('c')], true);
      await assert.rejects(store('gap', 9, 1000), { name: 'CheckpointGap' });
      await store('third', 2, 2000);
      const opened = await (await backend.open()).open(key, owner(4));
      assert.equal(Buffer.from(opened.checkpoint?.base ?? []).toString(), 'third');
      assert.deepEqual(opened.checkpoint?.head, driver.enclave.head);
      assert.deepEqual(
        opened.checkpoint?.recents.map((one) => Buffer.from(one).toString()),
        ['recent of second', 'recent of third'],
      );
    },
  );

  using('a fenced owner stores no checkpoint', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('late checkpoint'));
    await driver.acknowledged([note('a')], true);
    await log.open(driver.enclave.key, owner(2));
    const { head, timestamp } = driver.enclave;
    await assert.rejects(
      log.checkpoint(driver.enclave.key, driver.epoch, {
        head,
        base: owner(1),
        recent: owner(1),
        recentFrom: 0,
        recentMaxExp: 99,
        timestamp,
      }),
      { name: 'LogUnavailable' },
    );
    assert.equal((await log.open(driver.enclave.key, owner(3))).checkpoint, null);
  });
}
