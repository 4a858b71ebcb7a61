import { after, before, describe } from 'node:test';
import { logConformance } from '../../../test/conformance/log-conformance.ts';
import {
  missing,
  type RedisServer,
  type Replicated,
  SENTINEL_NAME,
  sentinelMissing,
  startRedis,
  startReplicated,
  startSentinels,
} from '../../../test/parts/redis.ts';
import { valkey, missing as valkeyMissing } from '../../../test/parts/valkey.ts';
import type { RedisSettings } from '../../redis/redis-settings.ts';
import { openRedisLog } from './index.ts';

const checkpointKey = new Uint8Array(32).fill(1);

describe('one Redis', { skip: missing }, () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.remove());

  logConformance('Redis', async () => ({
    open: () => openRedisLog({ settings: { at: server.address }, checkpointKey }),
    remove: async () => void (await server.call('FLUSHALL')),
  }));
});

describe('a primary with two replicas under Sentinel', { skip: sentinelMissing }, () => {
  let set: Replicated;
  let sentinels: RedisServer[];
  before(async () => {
    set = await startReplicated(2);
    sentinels = await startSentinels(set);
  });
  after(() => Promise.all([...sentinels.map((sentinel) => sentinel.remove()), set.remove()]));

  logConformance('Redis under Sentinel', async () => {
    const settings: RedisSettings = {
      at: { name: SENTINEL_NAME, sentinels: sentinels.map((sentinel) => sentinel.address) },
    };
    return {
      open: () => openRedisLog({ settings, checkpointKey }),
      remove: async () => void (await set.primary.call('FLUSHALL')),
    };
  });
});

describe('Valkey with a replica, counted by WAITAOF', { skip: missing || valkeyMissing }, () => {
  let set: Replicated;
  before(async () => {
    set = await startReplicated(1, { binary: valkey });
  });
  after(() => set.remove());

  logConformance('Valkey', async () => ({
    open: () => openRedisLog({ settings: { at: set.primary.address, durability: 'WAITAOF' }, checkpointKey }),
    remove: async () => void (await set.primary.call('FLUSHALL')),
  }));
});
