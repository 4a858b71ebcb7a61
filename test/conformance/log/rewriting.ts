import assert from 'node:assert/strict';
import { SampleEnclave } from '../sample-records.ts';
import { Driver, holds, note, owner, type Using } from './driver.ts';

/** What changes events that are there: Deletes, and another tail. */
export function rewritingTests(using: Using): void {
  using('a Delete erases the event and its Updates, and leaves its neighbours', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('erase'));
    await driver.acknowledged([note('before'), note('SECRET one'), note('after')]);
    const { key, ids } = driver.enclave;
    const target = ids[1] as Uint8Array;
    await driver.acknowledged([{ type: 'Update', target, content: '"SECRET two"' }, note('other')]);
    await driver.acknowledged([{ type: 'Delete', target, content: '{}' }], true, [target]);
    await log.erased();
    const again = await backend.open();
    const content = (await again.read(key, 0, 1 << 20)).map((batch) => Buffer.from(batch.content).toString());
    assert.deepEqual(content, ['"before""after"', '"other"', '{}']);
    for (const seq of [1, 3]) {
      const stored = await again.record(key, seq);
      assert.equal(stored?.content.length, 0);
      assert.equal(((stored?.record[5] as number) & 16) !== 0, true);
    }
    assert.equal(Buffer.from((await again.record(key, 2))?.content ?? []).toString(), '"after"');
    assert.equal(await again.findId(key, target), 1);
  });

  using(
    'an event is read alone from a batch in which another one, far behind or before it, was erased',
    async (backend) => {
      const log = await backend.open();
      const driver = await Driver.open(log, new SampleEnclave('far'));
      await driver.acknowledged(Array.from({ length: 5 }, (_, i) => note(String(i).repeat(6000))));
      const { key, ids, contents } = driver.enclave;
      const target = ids[2] as Uint8Array;
      await driver.acknowledged([{ type: 'Delete', target }], false, [target]);
      await log.erased();
      for (const seq of [0, 1, 3, 4]) {
        const again = await backend.open();
        assert.equal(Buffer.from((await again.record(key, seq))?.content ?? []).toString(), contents[seq]);
        assert.equal(Buffer.from((await again.recordNow(key, seq))?.content ?? []).toString(), contents[seq]);
      }
    },
  );

  using(
    'a replaced tail: what is behind the kept head goes, the new batches stand, lookups follow',
    async (backend) => {
      const log = await backend.open();
      const driver = await Driver.open(log, new SampleEnclave('replace'));
      await driver.acknowledged([note('a'), note('b')], true);
      const kept = driver.enclave.fork();
      const middle = driver.enclave.head;
      await driver.acknowledged([note('wrong 1')], true, [], 77);
      await driver.acknowledged([note('wrong 2')], true);
      const { key } = kept;
      const wrongId = driver.enclave.ids[2] as Uint8Array;
      assert.equal(await log.findId(key, wrongId), 2);
      const first = kept.batch([note('right 1'), note('right 2')], true);
      const second = kept.batch([note('right 3')]);
      const batches = [first.batch, second.batch];
      await assert.rejects(log.replaceTail(key, driver.epoch, middle, [second.batch], kept.head, kept.timestamp, 0));
      assert.equal(
        await log.replaceTail(key, { counter: 1, nonce: owner(8) }, middle, batches, kept.head, kept.timestamp, 50),
        'fenced',
      );
      assert.equal(await log.replaceTail(key, driver.epoch, middle, batches, kept.head, kept.timestamp, 50), 'ok');
      await holds(log, kept);
      assert.equal(await log.findId(key, wrongId), -1);
      assert.equal(await log.findId(key, kept.ids[3] as Uint8Array), 3);
      assert.deepEqual(
        (await log.due(1000, 5)).map((entry) => entry.dueAt),
        [50],
      );
      assert.equal(await log.closing(key, 2), null);
      const again = await Driver.open(await backend.open(), kept, 5);
      await again.acknowledged([note('goes on')]);
      await holds(again.log, kept);
    },
  );

  using('a tail may be cut in the middle of a batch, and down to nothing', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('cut'));
    const inner = driver.enclave.fork();
    inner.batch([note('a')]);
    await driver.acknowledged([note('a'), note('SECRET gone')], true);
    assert.equal(
      await log.replaceTail(driver.enclave.key, driver.epoch, inner.head, [], inner.head, inner.timestamp, 0),
      'ok',
    );
    await holds(log, inner);
    assert.equal(
      await log.replaceTail(driver.enclave.key, driver.epoch, driver.enclave.head, [], driver.enclave.head, 0, 0),
      'fenced',
    );
    const fresh = new SampleEnclave('cut');
    assert.equal(await log.replaceTail(fresh.key, driver.epoch, fresh.head, [], fresh.head, -1, 0), 'ok');
    const again = await Driver.open(log, fresh, 2);
    await again.acknowledged([note('new life')]);
    await holds(await backend.open(), fresh);
  });

  using('a large batch is read, looked up, erased from and cut like a small one', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('large'));
    const events = Array.from({ length: 300 }, (_, i) => note(`${i} ${'x'.repeat((i * 37) % 900)}`));
    await driver.acknowledged([note('small')], true);
    const inner = driver.enclave.fork();
    inner.batch(events.slice(0, 170));
    await driver.acknowledged(events, true);
    const { key, ids, contents } = driver.enclave;
    await holds(log, driver.enclave, 20_000);
    for (const seq of [0, 1, 50, 170, 171, 299, 300]) {
      assert.equal(await log.findId(key, ids[seq] as Uint8Array), seq);
      assert.equal(Buffer.from((await log.recordNow(key, seq))?.content ?? []).toString(), contents[seq]);
      assert.notEqual(await log.closingOf(key, seq), null);
    }
    const page = await log.read(key, 171, 1);
    assert.ok((page[0]?.firstSeq ?? 999) <= 171);
    const target = ids[100] as Uint8Array;
    const other = ids[250] as Uint8Array;
    await driver.acknowledged(
      [
        { type: 'Delete', target },
        { type: 'Delete', target: other },
      ],
      false,
      [target, other],
    );
    await log.erased();
    for (const seq of [100, 250]) assert.equal((await log.record(key, seq))?.content.length, 0);
    for (const seq of [99, 101, 249, 251])
      assert.equal(Buffer.from((await log.record(key, seq))?.content ?? []).toString(), contents[seq]);
    const checkpoint = {
      head: driver.enclave.head,
      base: owner(1),
      recent: owner(2),
      recentFrom: 0,
      recentMaxExp: 1e9,
      timestamp: driver.enclave.timestamp,
    };
    await log.checkpoint(key, driver.epoch, checkpoint);
    assert.deepEqual((await log.open(key, owner(2))).checkpoint?.head, driver.enclave.head);
    const { epoch } = await log.open(key, owner(3));
    assert.equal(await log.replaceTail(key, epoch, inner.head, [], inner.head, inner.timestamp, 0), 'ok');
    inner.contents[100] = '';
    await holds(log, inner);
    const again = await Driver.open(await backend.open(), inner, 4);
    await again.acknowledged(events, true);
    await holds(again.log, inner);
  });
}
