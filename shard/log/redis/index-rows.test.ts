import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { missing, type RedisServer, startRedis } from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import { openRedisLog } from './index.ts';
import { laneKey } from './keys.ts';
import type { RedisLog } from './redis-log.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const ENCLAVES = 5;

describe('index rows', { skip: missing }, () => {
  let server: RedisServer;
  const logs: RedisLog[] = [];
  before(async () => {
    server = await startRedis();
  });
  after(async () => {
    for (const log of logs) await log.close();
    await server.remove();
  });

  const open = async (): Promise<RedisLog> => {
    const log = await openRedisLog({ settings: { at: server.address }, checkpointKey });
    logs.push(log);
    return log;
  };

  async function append(log: RedisLog, enclave: SampleEnclave, events: number): Promise<void> {
    const { key } = enclave;
    const { epoch } = await log.open(key, new Uint8Array(16).fill(1));
    const batch = enclave.batch(Array.from({ length: events }, () => ({})));
    const { timestamp } = enclave;
    assert.equal(await appended(log, { key, epoch, ...batch, timestamp, dueAt: 0, deletes: [] }), 'ok');
  }

  test('of segments that fill up while others are being read are all written, though nobody looks for anything', async () => {
    const enclaves = Array.from({ length: ENCLAVES }, (_, i) => new SampleEnclave(`rows ${i}`));
    const first = await open();
    await Promise.all(enclaves.map((enclave) => append(first, enclave, 10)));
    // It has not seen the beginning of the segments, and reads them back, while the next ones fill up.
    const second = await open();
    for (const enclave of enclaves) await append(second, enclave, 4096);
    const written = async (): Promise<number> =>
      Number(await server.call('EXISTS', ...enclaves.map(({ key }) => `${laneKey(key)}:i0`)));
    await waitFor(`rows of ${ENCLAVES} segments`, 10_000, async () => (await written()) === ENCLAVES);
  });
});
