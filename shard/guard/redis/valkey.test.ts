import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { guardConformance } from '../../../test/conformance/guard-conformance.ts';
import { type Replicated, startReplicated } from '../../../test/parts/redis.ts';
import { missing, valkey } from '../../../test/parts/valkey.ts';
import { emptyHead } from '../../log/head-bytes.ts';
import type { RedisSettings } from '../../redis/redis-settings.ts';
import { openRedisGuard } from './redis-guard.ts';

const WAITAOF: Partial<RedisSettings> = { durability: 'WAITAOF' };

if (missing) test('release guard: Valkey with WAITAOF', { skip: missing }, () => {});
else {
  let servers: Promise<Replicated> | null = null;
  let db = 0;
  guardConformance('Valkey, primary and two replicas, WAITAOF', async () => {
    servers ??= startReplicated(2, { binary: valkey });
    const settings: RedisSettings = { at: (await servers).primary.address, db: db++, ...WAITAOF };
    return { open: () => openRedisGuard({ settings }), remove: async () => {} };
  });
  after(async () => (await servers)?.remove());
}

describe('WAITAOF', { skip: missing }, () => {
  test('a replica that does not answer makes the group unknown', async () => {
    const { primary, replicas, remove } = await startReplicated(1, { binary: valkey });
    const guard = await openRedisGuard({ settings: { at: primary.address, waitMs: 300, deadlineMs: 900, ...WAITAOF } });
    const key = { enclave: new Uint8Array(32).fill(1), lane: 0 };
    const [empty, next] = [emptyHead(key.enclave), { ...emptyHead(key.enclave), seq: 0 }];
    assert.equal(await guard.create(key, empty), true);
    replicas[0]?.freeze();
    const result = await new Promise((done) => guard.advance({ key, from: empty, to: next, done }));
    assert.equal(result, 'unknown');
    replicas[0]?.thaw();
    await guard.close();
    await remove();
  });
});
