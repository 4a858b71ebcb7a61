import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { missing, type RedisServer, startRedis } from '../../../test/parts/redis.ts';
import { openRedisLog } from './index.ts';
import { laneKey, segmentKey } from './keys.ts';
import type { RedisLog } from './redis-log.ts';

const checkpointKey = new Uint8Array(32).fill(1);

describe('a batch that is not there', { skip: missing }, () => {
  let server: RedisServer;
  let log: RedisLog;
  before(async () => {
    server = await startRedis();
    log = await openRedisLog({ settings: { at: server.address }, checkpointKey });
  });
  after(async () => {
    await log.close();
    await server.remove();
  });

  for (const seq of [0, 1, 2])
    test(`is LogDamaged, though others of its segment are: batch ${seq} of 3`, async () => {
      const enclave = new SampleEnclave(`missing ${seq}`);
      const { key } = enclave;
      const { epoch } = await log.open(key, new Uint8Array(16).fill(1));
      for (const content of ['"a"', '"b"', '"c"']) {
        const batch = enclave.batch([{ content }]);
        const append = { key, epoch, ...batch, timestamp: enclave.timestamp, dueAt: 0, deletes: [] };
        assert.equal(await appended(log, append), 'ok');
      }
      assert.equal(
        await server.call('HDEL', segmentKey(laneKey(key), 0), Buffer.from(`s\0${String.fromCharCode(seq)}`)),
        1,
      );
      for (const bytes of [1, 1 << 20]) await assert.rejects(log.read(key, seq, bytes), { name: 'LogDamaged' });
      await assert.rejects(log.record(key, seq), { name: 'LogDamaged' });
      await assert.rejects(log.read(key, 0, 1 << 20), { name: 'LogDamaged' });
    });
});
