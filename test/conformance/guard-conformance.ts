import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Head } from '../../kernel/kernel.ts';
import type { ReleaseGuard } from '../../shard/guard/release-guard.ts';
import type { LogKey } from '../../shard/log/enclave-log.ts';
import { freshBackend } from './fresh-backend.ts';

export interface GuardBackend {
  /** Opens the same store, again after a close. */
  open(): Promise<ReleaseGuard>;
  remove(): Promise<void>;
}

const key = (n: number, lane = 0): LogKey => ({ enclave: new Uint8Array(32).fill(n), lane });
const head = (seq: number, mark = 0): Head => ({
  seq,
  chain: new Uint8Array(32).fill(mark),
  bundles: Math.max(0, seq >> 2),
  ctRoot: new Uint8Array(32).fill(mark + 1),
});
const advance = (guard: ReleaseGuard, at: LogKey, from: Head, to: Head): Promise<string> =>
  new Promise((done) => guard.advance({ key: at, from, to, done }));

/** What every release guard must do (ARCHITECTURE §3). */
export function guardConformance(name: string, make: () => Promise<GuardBackend>): void {
  const using = freshBackend(make);

  describe(`release guard: ${name}`, () => {
    using('a watermark that was never made is null and is not moved', async (backend) => {
      const guard = await backend.open();
      assert.equal(await guard.read(key(1)), null);
      assert.equal(await advance(guard, key(1), head(-1), head(0)), 'refused');
      assert.equal(await guard.read(key(1)), null);
      await guard.close();
    });

    using('a watermark is made once', async (backend) => {
      const guard = await backend.open();
      assert.equal(await guard.create(key(1), head(-1)), true);
      assert.equal(await guard.create(key(1), head(5)), false);
      assert.deepEqual(await guard.read(key(1)), head(-1));
      await guard.close();
    });

    using('it moves only from the very head that is there: seq, chain, bundles and CT root', async (backend) => {
      const guard = await backend.open();
      await guard.create(key(1), head(3));
      const near: Head[] = [
        { ...head(3), seq: 2 },
        { ...head(3), chain: new Uint8Array(32).fill(9) },
        { ...head(3), bundles: 7 },
        { ...head(3), ctRoot: new Uint8Array(32).fill(9) },
      ];
      for (const other of near) assert.equal(await advance(guard, key(1), other, head(4)), 'refused');
      assert.equal(await advance(guard, key(1), head(3), head(4)), 'ok');
      assert.equal(await advance(guard, key(1), head(3), head(4)), 'refused');
      assert.deepEqual(await guard.read(key(1)), head(4));
      await guard.close();
    });

    using('calls that are queued together are carried out in order, each on its own', async (backend) => {
      const guard = await backend.open();
      for (let i = 0; i < 50; i++) await guard.create(key(i), head(-1));
      const results: Promise<string>[] = [];
      for (let seq = 0; seq < 4; seq++)
        for (let i = 0; i < 50; i++)
          results.push(advance(guard, key(i), head(seq - 1), i === 7 ? head(seq, 3) : head(seq)));
      const got = await Promise.all(results);
      assert.equal(got.filter((result) => result === 'ok').length, 4 * 49 + 1);
      assert.deepEqual(await guard.read(key(7)), head(0, 3));
      assert.deepEqual(await guard.read(key(8)), head(3));
      await guard.close();
    });

    using('what was answered is there after opening again, under the same id', async (backend) => {
      let guard = await backend.open();
      const id = guard.id;
      assert.equal(id.length, 16);
      await guard.create(key(1, 2), head(-1));
      await advance(guard, key(1, 2), head(-1), head(9));
      await guard.close();
      guard = await backend.open();
      assert.deepEqual(guard.id, id);
      assert.deepEqual(await guard.read(key(1, 2)), head(9));
      assert.equal(await guard.read(key(1, 1)), null);
      await guard.close();
    });

    using('two stores have different ids', async (backend) => {
      const other = await make();
      const [a, b] = [await backend.open(), await other.open()];
      assert.notDeepEqual(a.id, b.id);
      await a.close();
      await b.close();
      await other.remove();
    });

    using('closing carries out what is queued, and a call after it is unknown', async (backend) => {
      let guard = await backend.open();
      await guard.create(key(1), head(-1));
      const last = advance(guard, key(1), head(-1), head(0));
      await guard.close();
      assert.equal(await last, 'ok');
      assert.equal(await advance(guard, key(1), head(0), head(1)), 'unknown');
      guard = await backend.open();
      assert.deepEqual(await guard.read(key(1)), head(0));
      await guard.close();
    });
  });
}
