import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { MasterSecret } from '../../shard/signer/key-provider.ts';
import type { KeyRow } from '../../shard/signer/key-row.ts';
import type { KeyStore } from '../../shard/signer/key-store.ts';
import { freshBackend } from './fresh-backend.ts';

export interface KeyStoreBackend {
  /** Opens the same store, again after a close. */
  open(): Promise<KeyStore>;
  remove(): Promise<void>;
}

const bytes = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill);
const derived = (fill: number, creator: Uint8Array | null = null): KeyRow => ({
  version: 1,
  publicKey: bytes(fill),
  creator,
  source: { kind: 'derived', seed: bytes(fill + 1) },
});
const imported = (fill: number, creator: Uint8Array | null = null): KeyRow => ({
  version: 0xffff,
  publicKey: bytes(fill),
  creator,
  source: { kind: 'imported', wrapped: bytes(fill + 1, 60) },
});
const master = (version: number, fill: number) => new MasterSecret(version, bytes(fill));

/** What every key store must do (ARCHITECTURE §5). */
export function keyStoreConformance(name: string, make: () => Promise<KeyStoreBackend>): void {
  const using = freshBackend(make);

  describe(`key store: ${name}`, () => {
    using('an enclave without a key has none', async (backend) => {
      const store = await backend.open();
      assert.equal(await store.get(bytes(1)), null);
      assert.equal(await store.enclavesOf(bytes(1)), 0);
      await store.close();
    });

    using('rows come back as they were put in, also after opening again', async (backend) => {
      const rows = [derived(10), derived(20, bytes(7)), imported(30), imported(40, bytes(13))];
      let store = await backend.open();
      for (const [i, row] of rows.entries()) assert.equal(await store.insert(bytes(i), row), true);
      for (const [i, row] of rows.entries()) assert.deepEqual(await store.get(bytes(i)), row);
      await store.close();
      store = await backend.open();
      for (const [i, row] of rows.entries()) assert.deepEqual(await store.get(bytes(i)), row);
      await store.close();
    });

    using('an enclave keeps its first key, of those that come at the same time too', async (backend) => {
      const store = await backend.open();
      assert.equal(await store.insert(bytes(1), derived(10)), true);
      assert.equal(await store.insert(bytes(1), derived(10)), false);
      assert.equal(await store.insert(bytes(1), imported(20)), false);
      assert.deepEqual(await store.get(bytes(1)), derived(10));
      const rows = Array.from({ length: 8 }, (_, i) => imported(100 + i));
      const made = await Promise.all(rows.map((row) => store.insert(bytes(2), row)));
      assert.equal(made.filter(Boolean).length, 1);
      assert.deepEqual(await store.get(bytes(2)), rows[made.indexOf(true)]);
      await store.close();
    });

    using('counts the enclaves of a creator: once each, and only those that are theirs', async (backend) => {
      let store = await backend.open();
      await Promise.all(Array.from({ length: 20 }, (_, i) => store.insert(bytes(i), derived(i, bytes(200)))));
      await store.insert(bytes(3), derived(3, bytes(200)));
      await store.insert(bytes(4), derived(4, bytes(201)));
      await store.insert(bytes(30), derived(30));
      await store.insert(bytes(30), derived(30, bytes(201)));
      await store.insert(bytes(31), imported(31, bytes(202)));
      await store.close();
      store = await backend.open();
      assert.deepEqual(
        await Promise.all([200, 201, 202, 203].map((fill) => store.enclavesOf(bytes(fill)))),
        [20, 0, 1, 0],
      );
      await store.close();
    });

    using('master secrets: new ones are remembered, exchanged and missing ones refused', async (backend) => {
      let store = await backend.open();
      assert.equal(await store.isNew(), true);
      await store.checkVersions([]);
      assert.equal(await store.isNew(), true);
      await store.checkVersions([master(1, 5)]);
      await store.close();
      store = await backend.open();
      assert.equal(await store.isNew(), false);
      await store.checkVersions([master(1, 5)]);
      await assert.rejects(store.checkVersions([master(1, 6)]), /version 1 of the master secret is not the one/);
      await assert.rejects(store.checkVersions([]), /version 1 of the master secret is missing/);
      await assert.rejects(store.checkVersions([master(2, 7)]), /version 1 of the master secret is missing/);
      await store.checkVersions([master(1, 5), master(300, 8)]);
      await assert.rejects(store.checkVersions([master(1, 5)]), /version 300 of the master secret is missing/);
      // What was refused has left nothing behind.
      await store.checkVersions([master(1, 5), master(2, 9), master(300, 8)]);
      await store.close();
    });
  });
}
