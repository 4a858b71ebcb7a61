import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { missing, type RedisServer, startRedis } from '../../../test/parts/redis.ts';
import { openRedis, type RedisStore } from '../../redis/redis-store.ts';
import { openRedisLog } from './index.ts';
import { BEAT } from './keys.ts';
import { LogReader } from './log-reader.ts';
import type { RedisLog } from './redis-log.ts';
import { SCRIPTS, TRIM } from './scripts.ts';
import { planTrim } from './trim.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const owner = new Uint8Array(16).fill(1);

describe('trimming in steps', { skip: missing }, () => {
  let server: RedisServer;
  let store: RedisStore;
  let log: RedisLog;
  before(async () => {
    server = await startRedis();
    store = await openRedis({ settings: { at: server.address }, scripts: SCRIPTS, beatKey: BEAT });
    log = await openRedisLog({ settings: { at: server.address }, checkpointKey });
  });
  after(async () => {
    await log.close();
    await store.close();
    await server.remove();
  });

  test('a batch that is appended between the look at a segment and the trim stays', async () => {
    const enclave = new SampleEnclave('trim, append');
    const { key } = enclave;
    const { epoch } = await log.open(key, owner);
    const append = (content: string, close: boolean): Promise<string> => {
      const batch = enclave.batch([{ content }], close);
      return appended(log, { key, epoch, ...batch, timestamp: enclave.timestamp, dueAt: 0, deletes: [] });
    };
    assert.equal(await append('"archived"', true), 'ok');
    assert.equal(await log.moveArchived(key, 0, 1), 'ok');

    const reader = new LogReader(store, null, () => {});
    const row = await reader.head(key);
    assert.ok(row);
    const plan = await planTrim(key, epoch, reader, row, 1);
    assert.ok(plan);
    assert.equal(await append('"acknowledged"', false), 'ok');
    assert.equal(await store.counted(TRIM, plan.keys, plan.args), 1);

    const stored = await log.record(key, 1);
    assert.equal(Buffer.from(stored?.content ?? []).toString(), '"acknowledged"');
    const { head } = await log.open(key, owner);
    assert.equal(head.seq, 1);
    assert.equal((await log.read(key, 1, 1024)).length, 1);
  });
});
