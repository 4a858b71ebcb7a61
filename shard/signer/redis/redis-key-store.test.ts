import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { keyStoreConformance } from '../../../test/conformance/key-store-conformance.ts';
import { missing, type RedisServer, startRedis, startReplicated } from '../../../test/parts/redis.ts';
import { openSecp256k1 } from '../../crypto/open.ts';
import { RedisUnknown } from '../../redis/redis-errors.ts';
import type { RedisSettings } from '../../redis/redis-settings.ts';
import { openRedis, type RedisStore } from '../../redis/redis-store.ts';
import type { KeyRow } from '../key-row.ts';
import type { KeyStore } from '../key-store.ts';
import { openSigner } from '../signer.ts';
import { KEY_STORE_SCRIPTS, RedisKeyStore } from './redis-key-store.ts';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

function openStore(server: RedisServer, settings: Partial<RedisSettings> = {}): Promise<RedisStore> {
  return openRedis({ settings: { at: server.address, ...settings }, scripts: KEY_STORE_SCRIPTS, beatKey: 'beat' });
}

/** Closes the Redis connections with it. */
class Owning extends RedisKeyStore {
  readonly #stores: readonly RedisStore[];

  constructor(stores: readonly RedisStore[]) {
    super((id) => stores[(id[0] as number) % stores.length] as RedisStore);
    this.#stores = stores;
  }

  override async close(): Promise<void> {
    for (const store of this.#stores) await store.close();
  }
}

if (missing) test('key store: Redis', { skip: missing }, () => {});
else {
  const server = startRedis();
  let db = 0;
  for (const [name, count] of [
    ['one Redis', 1],
    ['two Redis logs', 2],
  ] as const)
    keyStoreConformance(name, async () => {
      const dbs = Array.from({ length: count }, () => db++);
      const open = async (): Promise<KeyStore> => {
        const started = await server;
        return new Owning(await Promise.all(dbs.map((n) => openStore(started, { db: n }))));
      };
      return { open, remove: async () => {} };
    });
  after(async () => (await server).remove());
}

describe('keys shared by shards', { skip: missing }, () => {
  const backend = openSecp256k1();
  const root = mkdtempSync(join(tmpdir(), 'enc-shards-'));
  after(() => rmSync(root, { recursive: true }));

  function folder(name: string, secret: number): string {
    const dir = join(root, name);
    mkdirSync(dir, { mode: 0o700 });
    const versions = [{ version: 1, secret: Buffer.from(bytes(secret)).toString('hex') }];
    writeFileSync(join(dir, 'master.json'), JSON.stringify({ format: 1, versions }), { mode: 0o600 });
    return dir;
  }

  test('any shard finds what another has kept; one with another master secret does not start', async () => {
    const server = await startRedis();
    const shard = async (dir: string) => openSigner({ dir, backend, store: new Owning([await openStore(server)]) });
    const a = await shard(folder('a', 1));
    const b = await shard(folder('b', 1));
    await a.adopt(bytes(100), bytes(1), bytes(7), a.derive(bytes(1)));
    const key = await b.importKey(bytes(101), bytes(0x33), bytes(7));
    assert.deepEqual((await b.lookup(bytes(100)))?.key.public, a.derive(bytes(1)).public);
    const found = await a.lookup(bytes(101));
    assert.deepEqual([found?.key.public, found?.provisioned, found?.creator], [key, true, bytes(7)]);
    assert.ok(key && found && backend.verifySchnorr(key, bytes(9), found.key.sign(bytes(9))));
    assert.deepEqual(await Promise.all([a.enclavesOf(bytes(7)), b.enclavesOf(bytes(7))]), [2, 2]);
    await assert.rejects(b.adopt(bytes(100), bytes(2), bytes(7), b.derive(bytes(2))), /another key/);
    await assert.rejects(shard(folder('c', 2)), /version 1 of the master secret is not the one/);
    await a.close();
    await b.close();
    await server.remove();
  });

  test('a key that the replicas do not have is neither kept nor found', async () => {
    const servers = await startReplicated(1);
    const store = await openStore(servers.primary, { waitMs: 200, deadlineMs: 600 });
    const keys = new RedisKeyStore(() => store);
    const row: KeyRow = {
      version: 1,
      publicKey: bytes(1),
      creator: bytes(2),
      source: { kind: 'derived', seed: bytes(3) },
    };
    servers.replicas[0]?.freeze();
    await assert.rejects(keys.insert(bytes(1), row), RedisUnknown);
    await assert.rejects(keys.get(bytes(1)), RedisUnknown);
    servers.replicas[0]?.thaw();
    await store.ready(5000);
    // The one who tries again finds his row, and is counted once.
    assert.equal(await keys.insert(bytes(1), row), false);
    assert.deepEqual(await keys.get(bytes(1)), row);
    assert.equal(await keys.enclavesOf(bytes(2)), 1);
    await store.close();
    await servers.remove();
  });
});
