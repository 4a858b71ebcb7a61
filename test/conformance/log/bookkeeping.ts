import assert from 'node:assert/strict';
import { FaultyLog } from '../faulty-log.ts';
import { SampleEnclave } from '../sample-records.ts';
import { Driver, holds, note, owner, type Using } from './driver.ts';

/** What the log remembers besides: its guard, its enclaves, the archive; and how it ends. */
export function bookkeepingTests(using: Using): void {
  using('the guard id is remembered', async (backend) => {
    const log = await backend.open();
    assert.equal(await log.guardId(), null);
    await log.adoptGuard(owner(4));
    const again = await backend.open();
    assert.deepEqual(new Uint8Array((await again.guardId()) as Uint8Array), owner(4));
    await again.adoptGuard(owner(5));
    assert.deepEqual(new Uint8Array((await again.guardId()) as Uint8Array), owner(5));
  });

  using('enclaves are listed page by page', async (backend) => {
    const log = await backend.open();
    for (let i = 0; i < 7; i++) await log.open(new SampleEnclave(`list ${i % 4}`, i >> 2).key, owner(1));
    const seen: string[] = [];
    for (
      let page = await log.list(null, 2);
      page.length > 0;
      page = await log.list(page[page.length - 1] as (typeof page)[0], 2)
    ) {
      for (const key of page) seen.push(`${Buffer.from(key.enclave).toString('hex')} ${key.lane}`);
    }
    assert.equal(new Set(seen).size, 7);
    assert.deepEqual(seen, [...seen].sort());
  });

  using(
    'the cursor of the archive is durable, and moved only by who knows it and past what is closed',
    async (backend) => {
      const log = await backend.open();
      const driver = await Driver.open(log, new SampleEnclave('archived'));
      const { key } = driver.enclave;
      assert.equal(await log.archived(key), 0);
      assert.equal(await log.moveArchived(key, 0, 1), 'fenced', 'nothing is closed');
      await driver.acknowledged([note('a')], true);
      const first = driver.enclave.fork();
      await driver.acknowledged([note('b')], true);
      await driver.acknowledged([note('c')], true);
      assert.equal(await log.moveArchived(key, 0, 1), 'ok');
      assert.equal(await log.moveArchived(key, 0, 2), 'fenced', 'another cursor');
      assert.equal(await log.moveArchived(key, 1, 4), 'fenced', 'past what is closed');
      assert.equal(await log.moveArchived(key, 1, 3), 'ok');
      const other = new SampleEnclave('never opened');
      assert.equal(await log.moveArchived(other.key, 0, 0), 'fenced');
      const again = await backend.open();
      assert.equal(await again.archived(key), 3);
      assert.equal(await again.archived(other.key), 0);
      // Who archives need not own the log; a replaced tail has to be held against the archive once more.
      const { epoch } = await again.open(key, owner(4));
      assert.equal(await again.replaceTail(key, epoch, first.head, [], first.head, first.timestamp, 0), 'ok');
      assert.equal(await again.archived(key), 1);
    },
  );

  for (const fault of ['failed', 'persisted'] as const)
    using(`moveArchived ${fault} is unknown, and the cursor says what became of it`, async (backend) => {
      const faulty = new FaultyLog(await backend.open());
      const driver = await Driver.open(faulty.log, new SampleEnclave(`cursor ${fault}`));
      await driver.acknowledged([note('a')], true);
      faulty.next('moveArchived', fault);
      assert.equal(await faulty.log.moveArchived(driver.enclave.key, 0, 1), 'unknown');
      assert.equal(await (await backend.open()).archived(driver.enclave.key), fault === 'persisted' ? 1 : 0);
    });

  using('closing writes what is queued, and an append after it is unknown', async (backend, opened) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('close'));
    const last = driver.append([note('last')]);
    await log.close();
    opened.length = 0;
    assert.equal(await last, 'ok');
    const kept = driver.enclave.fork();
    assert.equal(await driver.append([note('too late')]), 'unknown');
    await holds(await backend.open(), kept);
  });
}
