import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Head } from '../../kernel/kernel.ts';
import type { EnclaveLog, Epoch, NewCheckpoint } from '../../shard/log/enclave-log.ts';
import { appended, type Fault, FaultyLog } from './faulty-log.ts';
import { SampleEnclave, type SampleEvent } from './sample-records.ts';

export interface LogBackend {
  /** Opens the store once more; whoever has it open is left as it is, as a process that died or hangs. */
  open(): Promise<EnclaveLog>;
  remove(): Promise<void>;
}

const owner = (n: number): Uint8Array => new Uint8Array(16).fill(n);
const note = (content: string): SampleEvent => ({ content: JSON.stringify(content) });

/** One enclave under one owner, as a host drives it. */
class Driver {
  readonly log: EnclaveLog;
  readonly enclave: SampleEnclave;
  epoch: Epoch;

  private constructor(log: EnclaveLog, enclave: SampleEnclave, epoch: Epoch) {
    this.log = log;
    this.enclave = enclave;
    this.epoch = epoch;
  }

  static async open(log: EnclaveLog, enclave: SampleEnclave, by = 1): Promise<Driver> {
    const opened = await log.open(enclave.key, owner(by));
    assert.deepEqual(opened.head, enclave.head);
    assert.equal(opened.timestamp, enclave.timestamp);
    return new Driver(log, enclave, opened.epoch);
  }

  append(
    events: readonly SampleEvent[],
    close = false,
    deletes: readonly Uint8Array[] = [],
    dueAt = 0,
  ): Promise<string> {
    const made = this.enclave.batch(events, close);
    return appended(this.log, {
      key: this.enclave.key,
      epoch: this.epoch,
      ...made,
      timestamp: this.enclave.timestamp,
      dueAt,
      deletes,
    });
  }

  async acknowledged(
    events: readonly SampleEvent[],
    close = false,
    deletes: readonly Uint8Array[] = [],
    dueAt = 0,
  ): Promise<void> {
    assert.equal(await this.append(events, close, deletes, dueAt), 'ok');
  }
}

/** Everything that `enclave` holds is in the log, in order, and nothing else. */
export async function holds(log: EnclaveLog, enclave: SampleEnclave, page = 1): Promise<void> {
  const { key } = enclave;
  assert.deepEqual(await log.head(key), enclave.head);
  let next = 0;
  let content = '';
  let closings = 0;
  for (;;) {
    const batches = await log.read(key, next, page);
    if (batches.length === 0) break;
    for (const batch of batches) {
      assert.equal(batch.firstSeq, next);
      next += batch.events;
      closings += batch.closings;
      content += Buffer.from(batch.content).toString();
    }
  }
  assert.equal(next, enclave.head.seq + 1);
  assert.equal(closings, enclave.head.bundles);
  assert.equal(content, enclave.contents.join(''));
}

/** What every log must do (ARCHITECTURE §3). */
export function logConformance(name: string, make: () => Promise<LogBackend>): void {
  const using = (what: string, run: (backend: LogBackend, opened: EnclaveLog[]) => Promise<void>): void => {
    test(what, async () => {
      const backend = await make();
      const logs: EnclaveLog[] = [];
      const tracked: LogBackend = {
        open: async () => {
          const log = await backend.open();
          logs.push(log);
          return log;
        },
        remove: backend.remove,
      };
      try {
        await run(tracked, logs);
      } finally {
        for (const log of logs) await log.close();
        await backend.remove();
      }
    });
  };

  describe(`log: ${name}`, () => {
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

    using(
      'after another owner opened it the old one is fenced for good, also with an equal counter',
      async (backend) => {
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
      },
    );

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
      assert.deepEqual(
        await all({ ids: [ids[7] as Uint8Array, ids[2] as Uint8Array, owner(3)], reverse: true }),
        [7, 2],
      );
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

    for (const operation of ['open', 'append', 'checkpoint', 'replaceTail', 'adoptGuard'] as const) {
      for (const fault of ['failed', 'persisted'] as const) {
        for (const after of ['progress', 'crash'] as const) {
          using(`${operation} ${fault}, then ${after}: nothing acknowledged is lost, and the log goes on`, (backend) =>
            faulted(backend, operation, fault, after),
          );
        }
      }
    }

    for (const operation of ['read', 'head', 'findId', 'closing', 'record', 'due', 'list', 'seqAtTime'] as const) {
      using(`${operation} that fails is an error, never an empty answer`, async (backend) => {
        const faulty = new FaultyLog(await backend.open());
        const driver = await Driver.open(faulty.log, new SampleEnclave('read faults'));
        await driver.acknowledged([note('a')], true);
        const { key } = driver.enclave;
        const calls = {
          read: () => faulty.log.read(key, 0, 1),
          head: () => faulty.log.head(key),
          findId: () => faulty.log.findId(key, owner(1)),
          closing: () => faulty.log.closing(key, 0),
          record: () => faulty.log.record(key, 0),
          due: () => faulty.log.due(1, 1),
          list: () => faulty.log.list(null, 1),
          seqAtTime: () => faulty.log.seqAtTime(key, 1),
        };
        faulty.next(operation, 'failed');
        await assert.rejects(calls[operation](), { name: 'LogUnavailable' });
        await holds(faulty.log, driver.enclave);
      });
    }
  });
}

/** One cell of the matrix. The rule of ARCHITECTURE §3: unknown → drop the instance, reopen, read the truth. */
async function faulted(
  backend: LogBackend,
  operation: 'open' | 'append' | 'checkpoint' | 'replaceTail' | 'adoptGuard',
  fault: Fault,
  after: 'progress' | 'crash',
): Promise<void> {
  const faulty = new FaultyLog(await backend.open());
  const driver = await Driver.open(faulty.log, new SampleEnclave(`${operation} ${fault} ${after}`));
  await driver.acknowledged([note('acknowledged 1')], true);
  await driver.acknowledged([note('acknowledged 2')]);
  await faulty.log.adoptGuard(owner(1));
  const sure = driver.enclave.fork();
  const { key } = sure;
  let possible = sure;
  faulty.next(operation, fault);
  if (operation === 'open') await assert.rejects(faulty.log.open(key, owner(2)), { name: 'LogUnavailable' });
  if (operation === 'adoptGuard') await assert.rejects(faulty.log.adoptGuard(owner(2)), { name: 'LogUnavailable' });
  if (operation === 'checkpoint') {
    const { head, timestamp } = sure;
    await assert.rejects(
      faulty.log.checkpoint(key, driver.epoch, {
        head,
        base: owner(1),
        recent: owner(2),
        recentFrom: 0,
        recentMaxExp: 999,
        timestamp,
      }),
      { name: 'LogUnavailable' },
    );
  }
  if (operation === 'append') {
    const results = [driver.append([note('unsure 1')], true), driver.append([note('unsure 2')])];
    // What was staged on it is refused if it came to nothing, and lands if it had persisted.
    assert.deepEqual(await Promise.all(results), ['unknown', fault === 'failed' ? 'fenced' : 'ok']);
    possible = driver.enclave;
  }
  if (operation === 'replaceTail') {
    possible = sure.fork();
    const made = possible.batch([note('unsure')]);
    assert.equal(
      await faulty.log.replaceTail(key, driver.epoch, sure.head, [made.batch], possible.head, possible.timestamp, 0),
      'unknown',
    );
  }
  const log = after === 'crash' ? await backend.open() : faulty.log;
  const truth = fault === 'persisted' ? possible : sure;
  const again = await Driver.open(log, truth, 3);
  await again.acknowledged([note('goes on')], true);
  await holds(log, truth);
  await holds(await backend.open(), truth);
  assert.deepEqual(
    new Uint8Array((await log.guardId()) as Uint8Array),
    owner(operation === 'adoptGuard' && fault === 'persisted' ? 2 : 1),
  );
  assert.equal(await driver.append([note('zombie')]), 'fenced');
}
