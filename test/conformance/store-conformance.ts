import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { ObjectStore } from '../../shard/log/archive/object-store.ts';

export interface StoreBackend {
  /** One more client of the same store. */
  open(): Promise<ObjectStore>;
  remove(): Promise<void>;
}

/** Stores may answer with Buffers. */
const raw = (data: Uint8Array | string | null): string | null =>
  data === null ? null : Buffer.from(data as Uint8Array).toString('latin1');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
let counter = 0;
const fresh = (): string => `${'ab'.repeat(32)}/0/${String(counter++).padStart(12, '0')}.0000`;

/** What every store of archived bundles must do. */
export function storeConformance(name: string, make: () => Promise<StoreBackend>, skip: string | false = false): void {
  describe(`object store: ${name}`, { skip }, () => {
    let backend: StoreBackend;
    let store: ObjectStore;
    let other: ObjectStore;
    before(async () => {
      backend = await make();
      store = await backend.open();
      other = await backend.open();
    });
    after(async () => {
      await store.close();
      await other.close();
      await backend.remove();
    });

    test('what is not there is null, and can be erased', async () => {
      const object = fresh();
      assert.equal(await store.get(object), null);
      await store.erase(object, [{ offset: 0, length: 10 }]);
      assert.equal(await store.get(object), null);
    });

    test('an object is written once', async () => {
      const object = fresh();
      assert.equal(await store.create(object, bytes('first')), 'created');
      assert.equal(await store.create(object, bytes('first')), 'exists');
      assert.equal(await other.create(object, bytes('other')), 'exists');
      assert.deepEqual(raw(await other.get(object)), raw('first'));
    });

    test('of writers that race one wins, and all see its object', async () => {
      for (let round = 0; round < 5; round++) {
        const object = fresh();
        const offers = Array.from({ length: 6 }, () => new Uint8Array(randomBytes(20_000)));
        const results = await Promise.all(
          offers.map((offer, i) => (i % 2 === 0 ? store : other).create(object, offer)),
        );
        assert.equal(results.filter((result) => result === 'created').length, 1);
        assert.deepEqual(raw(await store.get(object)), raw(offers[results.indexOf('created')] as Uint8Array));
      }
    });

    test('an empty object, and one of several megabytes', async () => {
      for (const size of [0, 9 * 1024 * 1024]) {
        const object = fresh();
        const data = new Uint8Array(randomBytes(size));
        assert.equal(await store.create(object, data), 'created');
        assert.equal(Buffer.compare((await other.get(object)) as Uint8Array, data), 0);
      }
    });

    test('erasing changes these bytes to zeros and nothing else, as often as one likes', async () => {
      const object = fresh();
      await store.create(object, bytes('0123456789'));
      for (let again = 0; again < 2; again++) {
        await store.erase(object, [
          { offset: 2, length: 3 },
          { offset: 8, length: 1 },
        ]);
        assert.deepEqual(raw(await other.get(object)), raw('01\0\0\x00567\x009'));
      }
      // Behind the end there is nothing to erase, and nothing grows.
      await store.erase(object, [{ offset: 9, length: 100 }]);
      assert.deepEqual(raw(await other.get(object)), raw('01\0\0\x00567\0\0'));
      assert.equal(await other.create(object, bytes('0123456789')), 'exists');
    });

    test('erasures that race are all carried out', async () => {
      const object = fresh();
      await store.create(object, new Uint8Array(64).fill(7));
      const at = Array.from({ length: 6 }, (_, i) => 9 * i + 1);
      await Promise.all(at.map((offset, i) => (i % 2 === 0 ? store : other).erase(object, [{ offset, length: 3 }])));
      const wanted = new Uint8Array(64).fill(7);
      for (const offset of at) wanted.fill(0, offset, offset + 3);
      assert.deepEqual(raw(await store.get(object)), raw(wanted));
    });
  });
}
