import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { missing, type RedisServer, startRedis } from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import { openRedisLog } from './index.ts';
import type { RedisLog } from './redis-log.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const owner = new Uint8Array(16).fill(1);
const RECONNECTED_MS = 10_000;

describe('a primary that lacks what the one before had', { skip: missing }, () => {
  let server: RedisServer;
  let log: RedisLog;
  let copy: string;
  const enclave = new SampleEnclave('another primary');
  const { key } = enclave;

  before(async () => {
    server = await startRedis();
    log = await openRedisLog({ settings: { at: server.address }, checkpointKey });
    copy = mkdtempSync(join(tmpdir(), 'enc-older-'));
  });
  after(async () => {
    await log.close();
    await server.remove();
    rmSync(copy, { recursive: true, force: true });
  });

  async function append(from: SampleEnclave, contents: readonly string[]): Promise<void> {
    const other = await openRedisLog({ settings: { at: server.address }, checkpointKey });
    const { epoch } = await other.open(key, owner);
    const batch = from.batch(contents.map((content) => ({ content })));
    const { timestamp } = from;
    assert.equal(await appended(other, { key, epoch, ...batch, timestamp, dueAt: 0, deletes: [] }), 'ok');
    await other.close();
  }

  const files = (): string => join(server.folder, 'appendonlydir');
  const back = (): Promise<unknown> =>
    waitFor('a new connection', RECONNECTED_MS, async () => (await log.head(key)) !== null);

  test('nothing that was read from that one is found any more', async () => {
    await append(enclave, ['"both"']);
    await server.kill();
    cpSync(files(), copy, { recursive: true });
    await server.start();
    await back();
    const lost = enclave.fork();
    await append(lost, ['"lost"', '"lost too"']);
    // Whoever erases or archives reads logs of other owners, and may have to open one of them later.
    assert.equal(await log.findId(key, lost.ids[1] as Uint8Array), 1);
    assert.equal(Buffer.from((await log.record(key, 1))?.content ?? []).toString(), '"lost"');

    await server.kill();
    rmSync(files(), { recursive: true });
    cpSync(copy, files(), { recursive: true });
    await server.start();
    const kept = enclave.fork();
    await append(kept, ['"kept"']);
    await back();
    assert.equal((await log.head(key))?.seq, 1);
    assert.equal(log.recordNow(key, 1), null);
    assert.equal(await log.findId(key, lost.ids[1] as Uint8Array), -1);
    assert.equal(await log.findId(key, kept.ids[1] as Uint8Array), 1);
    assert.equal(Buffer.from((await log.record(key, 1))?.content ?? []).toString(), '"kept"');
  });
});
