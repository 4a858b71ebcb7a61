import assert from 'node:assert/strict';
import type { Head } from '../../../kernel/kernel.ts';
import { appended } from '../faulty-log.ts';
import { SampleEnclave } from '../sample-records.ts';
import { Driver, holds, note, owner, type Using } from './driver.ts';

/** Appends, and whose they are. */
export function appendingTests(using: Using): void {
  using('a log that nobody opened is not there', async (backend) => {
    const log = await backend.open();
    const { key } = new SampleEnclave('none');
    assert.equal(await log.head(key), null);
    assert.deepEqual(await log.read(key, 0, 1000), []);
    assert.equal(await log.findId(key, owner(1)), -1);
    assert.equal(await log.record(key, 0), null);
    assert.equal(await log.closing(key, 0), null);
    assert.equal(await log.usage(key), null);
    assert.deepEqual(await log.list(null, 10), []);
  });

  using('an append needs an owner', async (backend) => {
    const log = await backend.open();
    const enclave = new SampleEnclave('ownerless');
    const made = enclave.batch([note('x')]);
    const result = await appended(log, {
      key: enclave.key,
      epoch: { counter: 1, nonce: owner(1) },
      ...made,
      timestamp: 10,
      dueAt: 0,
      deletes: [],
    });
    assert.equal(result, 'fenced');
    assert.equal(await log.head(enclave.key), null);
  });

  using('appended batches are read back in order, page by page, also after a crash', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('plain'));
    await driver.acknowledged([note('a'), note('b')]);
    await driver.acknowledged([note('c')], true);
    await driver.acknowledged([note('d'), { content: '' }]);
    await driver.acknowledged([], true);
    await driver.acknowledged([note('e')]);
    await driver.acknowledged([], true);
    for (const page of [1, 700, 1 << 20]) await holds(log, driver.enclave, page);
    await holds(await backend.open(), driver.enclave);
    assert.deepEqual(
      (await log.read(driver.enclave.key, 5, 1)).map((batch) => [batch.firstSeq, batch.events]),
      [
        [5, 1],
        [6, 0],
      ],
    );
    assert.deepEqual(await log.read(driver.enclave.key, 6, 1), []);
  });

  using('an append with another expected head is fenced, whatever differs in it', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('wrong head'));
    await driver.acknowledged([note('a')], true);
    const before = driver.enclave.head;
    const made = driver.enclave.fork().batch([note('b')]);
    const wrong: Head[] = [
      { ...before, chain: new Uint8Array(32) },
      { ...before, bundles: 0 },
      { ...before, ctRoot: new Uint8Array(32) },
      { ...before, seq: 1 },
    ];
    for (const expected of wrong) {
      const result = await appended(log, {
        key: driver.enclave.key,
        epoch: driver.epoch,
        ...made,
        expected,
        timestamp: 1,
        dueAt: 0,
        deletes: [],
      });
      assert.equal(result, 'fenced');
    }
    await driver.acknowledged([note('b')]);
    await holds(log, driver.enclave);
  });

  using('whoever opened it last is its owner, which anybody may ask without becoming it', async (backend) => {
    const log = await backend.open();
    const enclave = new SampleEnclave('owner');
    assert.equal(await log.owner(enclave.key), null);
    const old = await Driver.open(log, enclave);
    assert.deepEqual(await log.owner(enclave.key), old.epoch);
    await old.acknowledged([note('one')]);
    assert.deepEqual(await log.owner(enclave.key), old.epoch);
    const fresh = await Driver.open(log, enclave, 2);
    assert.deepEqual(await log.owner(enclave.key), fresh.epoch);
    assert.deepEqual(fresh.epoch.nonce, owner(2));
    await fresh.acknowledged([note('two')]);
  });

  using('after another owner opened it the old one is fenced for good, also with an equal counter', async (backend) => {
    const log = await backend.open();
    const old = await Driver.open(log, new SampleEnclave('fence'));
    await old.acknowledged([note('a')]);
    const fresh = await Driver.open(await backend.open(), old.enclave.fork(), 2);
    assert.ok(fresh.epoch.counter > old.epoch.counter);
    const forked = old.enclave.fork();
    assert.equal(await old.append([note('zombie')]), 'fenced');
    const forged = {
      key: forked.key,
      epoch: { counter: fresh.epoch.counter, nonce: owner(1) },
      ...forked.batch([note('forged')]),
      timestamp: 20,
      dueAt: 0,
      deletes: [],
    };
    assert.equal(await appended(log, forged), 'fenced');
    assert.equal(await appended(fresh.log, forged), 'fenced');
    await fresh.acknowledged([note('b')]);
    await holds(fresh.log, fresh.enclave);
  });

  using('appends of many enclaves that are queued together all land, each enclave in its order', async (backend) => {
    const log = await backend.open();
    const drivers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => Driver.open(log, new SampleEnclave(`many ${i}`, i % 3))),
    );
    const results: Promise<string>[] = [];
    for (let round = 0; round < 3; round++)
      for (const driver of drivers)
        results.push(driver.append([note(`r${round}`), note('x')], round === 1, [], round + 1));
    assert.deepEqual(new Set(await Promise.all(results)), new Set(['ok']));
    const again = await backend.open();
    for (const driver of drivers) await holds(again, driver.enclave);
    assert.equal((await again.list(null, 100)).length, 40);
  });

  using(
    'one refused append does not take down those it is queued with, but those that build on it',
    async (backend) => {
      const log = await backend.open();
      const good = await Driver.open(log, new SampleEnclave('good'));
      const bad = await Driver.open(log, new SampleEnclave('bad'));
      const stale = bad.epoch;
      bad.epoch = (await log.open(bad.enclave.key, owner(9))).epoch;
      bad.epoch = stale;
      const results = await Promise.all([
        good.append([note('a')]),
        bad.append([note('lost 1')]),
        good.append([note('b')]),
        bad.append([note('lost 2')]),
      ]);
      assert.deepEqual(results, ['ok', 'fenced', 'ok', 'fenced']);
      await holds(log, good.enclave);
      await holds(log, new SampleEnclave('bad'));
    },
  );
}
