import assert from 'node:assert/strict';
import type { StoredEvent } from '../../../shard/log/enclave-log.ts';
import { SampleEnclave } from '../sample-records.ts';
import { Driver, note, owner, type Using } from './driver.ts';

/** What is found by its name, its place or its time. */
export function lookupTests(using: Using): void {
  using(
    'events are found by id and by commit hash, closings by leaf and by seq, CT nodes by place',
    async (backend) => {
      const log = await backend.open();
      const driver = await Driver.open(log, new SampleEnclave('lookups'));
      for (let i = 0; i < 8; i++) await driver.acknowledged([note(`${i}a`), note(`${i}b`), note(`${i}c`)], true);
      await driver.acknowledged([note('open')]);
      const { key, ids, hashes, leaves } = driver.enclave;
      for (let seq = 0; seq < ids.length; seq++) {
        assert.equal(await log.findId(key, ids[seq] as Uint8Array), seq);
        assert.equal(await log.findHash(key, hashes[seq] as Uint8Array), seq);
        const stored = await log.record(key, seq);
        assert.equal(Buffer.from(stored?.content ?? []).toString(), driver.enclave.contents[seq]);
        const closing = await log.closingOf(key, seq);
        if (seq === 24) assert.equal(closing, null);
        else assert.deepEqual(new Uint8Array(closing as Uint8Array).slice(104, 136), leaves[Math.floor(seq / 3)]);
      }
      const near = (ids[3] as Uint8Array).slice();
      near[31] = (near[31] as number) ^ 1;
      assert.equal(await log.findId(key, near), -1);
      assert.equal(await log.findId(key, hashes[3] as Uint8Array), -1);
      assert.equal(await log.closing(key, 8), null);
      assert.deepEqual(new Uint8Array((await log.node(key, 0, 5)) as Uint8Array), leaves[5]);
      for (const [level, index] of [
        [1, 0],
        [1, 3],
        [2, 1],
        [3, 0],
      ] as const)
        assert.deepEqual(
          new Uint8Array((await log.node(key, level, index)) as Uint8Array),
          driver.enclave.node(level, index),
        );
      assert.equal(await log.node(key, 4, 0), null);
    },
  );

  using(
    'single events in any order, of batches of any size, stay what they were when others are read',
    async (backend) => {
      const log = await backend.open();
      const driver = await Driver.open(log, new SampleEnclave('sizes'));
      const sizes = [1, 300, 2, 150, 60, 200, 1];
      for (const [i, size] of sizes.entries())
        await driver.acknowledged(Array.from({ length: size }, (_, n) => note(`${i}/${n} ${'x'.repeat(n)}`)));
      const { key, ids, contents } = driver.enclave;
      // Where nothing is remembered of the appends.
      const reader = await backend.open();
      // Far apart, then each beside the one before, then far apart among what is known.
      const far = Array.from({ length: 60 }, (_, i) => (i * 137) % ids.length);
      const near = Array.from({ length: 40 }, (_, i) => 280 + i);
      const read: { seq: number; stored: StoredEvent | null }[] = [];
      for (const seq of [...far, ...near, ...far]) read.push({ seq, stored: await reader.record(key, seq) });
      for (const { seq, stored } of read) {
        assert.deepEqual(new Uint8Array(stored?.record.slice(48, 80) ?? []), ids[seq]);
        assert.equal(Buffer.from(stored?.content ?? []).toString(), contents[seq]);
      }
    },
  );

  using('candidates narrow by type, author, tag, target, id and seq, forwards and backwards', async (backend) => {
    const log = await backend.open();
    const driver = await Driver.open(log, new SampleEnclave('filters'));
    const ann = new Uint8Array(32).fill(1);
    const bob = new Uint8Array(32).fill(2);
    for (let i = 0; i < 30; i++) {
      await driver.acknowledged([
        {
          ...note(`${i}`),
          from: i % 3 === 0 ? ann : bob,
          type: i % 2 === 0 ? 'Even' : 'Odd',
          ...(i % 5 === 0 ? { tags: [['p', `v${i}`, 'ü'], ['q']] } : {}),
        },
      ]);
    }
    const { key, ids } = driver.enclave;
    await driver.acknowledged([{ type: 'Update', target: ids[4] as Uint8Array, content: '{}' }]);
    const all = async (plan: object): Promise<number[]> => {
      const found: number[] = [];
      for (const step of log.candidates(key, { from: 0, to: 1000, reverse: false, ...plan })) {
        if (typeof step !== 'number') await step;
        else if (step >= 0) found.push(step);
      }
      return found;
    };
    const seqs = Array.from({ length: 30 }, (_, i) => i);
    assert.deepEqual(await all({}), [...seqs, 30]);
    assert.deepEqual(
      await all({ froms: [ann] }),
      seqs.filter((i) => i % 3 === 0),
    );
    assert.deepEqual(await all({ types: ['Odd'], froms: [ann], reverse: true }), [27, 21, 15, 9, 3]);
    assert.deepEqual(await all({ tags: [{ name: 'p', values: null }] }), [0, 5, 10, 15, 20, 25]);
    assert.deepEqual(
      await all({
        tags: [
          { name: 'p', values: ['v5', 'v20', 'v6'] },
          { name: 'q', values: null },
        ],
      }),
      [5, 20],
    );
    assert.deepEqual(await all({ tags: [{ name: 'p', values: ['ü'] }], from: 6, to: 15 }), [10, 15]);
    assert.deepEqual(await all({ tags: [{ name: 'q', values: ['v5'] }] }), []);
    assert.deepEqual(await all({ targets: [ids[4] as Uint8Array] }), [30]);
    assert.deepEqual(await all({ ids: [ids[7] as Uint8Array, ids[2] as Uint8Array, owner(3)], reverse: true }), [7, 2]);
    assert.deepEqual(await all({ seqs: [9, 3, 3, 999] }), [3, 9]);
    assert.equal(await log.seqAtTime(key, 0), 0);
    assert.equal(await log.seqAtTime(key, driver.enclave.timestamp), 30);
    assert.equal(await log.seqAtTime(key, 99), 9);
    assert.equal(await log.seqAtTime(key, 100), 10);
    assert.equal(await log.seqAtTime(key, 1e9), 31);
  });

  using('the due-index names open bundles in order of time, and forgets closed ones', async (backend) => {
    const log = await backend.open();
    const names = ['a', 'b', 'c'];
    const drivers = await Promise.all(names.map((id) => Driver.open(log, new SampleEnclave(`due ${id}`))));
    const [a, b, c] = drivers as [Driver, Driver, Driver];
    await a.acknowledged([note('x')], false, [], 300);
    await b.acknowledged([note('x')], false, [], 100);
    await c.acknowledged([note('x')], false, [], 200);
    const again = await backend.open();
    const due = async (until: number): Promise<number[]> => (await again.due(until, 10)).map((entry) => entry.dueAt);
    assert.deepEqual(await due(99), []);
    assert.deepEqual(await due(200), [100, 200]);
    assert.deepEqual(
      (await again.due(1000, 1)).map((entry) => entry.key),
      [b.enclave.key],
    );
    const closer = await Driver.open(again, b.enclave, 2);
    await closer.acknowledged([], true, [], 0);
    assert.deepEqual(await due(1000), [200, 300]);
  });
}
