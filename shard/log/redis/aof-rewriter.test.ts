import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { missing, type Replicated, startReplicated } from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import { openRedisLog } from './index.ts';
import { SERVER } from './keys.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const CLOSED_MS = 2000;

describe('rewriting the append-only files', { skip: missing }, () => {
  let servers: Replicated;
  before(async () => {
    servers = await startReplicated(1);
    await servers.primary.call('HSET', SERVER, 'erased', 1, 'erasedSince', 1);
  });
  after(() => servers.remove());

  async function open() {
    const failures: string[] = [];
    const log = await openRedisLog({
      settings: { at: servers.primary.address, replicas: 0 },
      checkpointKey,
      rewriteWithinMs: 100,
      onFailure: (reason) => failures.push(reason),
    });
    return { log, failures };
  }

  test('a replica that keeps its connections and answers nothing holds up neither the next try nor the end', async () => {
    const [replica] = servers.replicas;
    replica?.freeze();
    const first = await open();
    const second = await open();
    try {
      await waitFor('a rewrite of the primary', 10_000, async () => /^[1-9]/.test((await rewrites()) ?? ''));
      const closing = performance.now();
      await second.log.close();
      assert.ok(performance.now() - closing < CLOSED_MS, 'it ends while it waits for an answer');
      await waitFor('two failures', 20_000, () => first.failures.length >= 2);
      assert.match(first.failures[0] as string, /does not answer/);
      replica?.thaw();
      await waitFor('all to be rewritten', 20_000, async () => (await erased()) === null);
    } finally {
      replica?.thaw();
      await first.log.close();
      await second.log.close();
    }
  });

  const rewrites = (): Promise<string | null> => servers.primary.info('aof_rewrites');
  const erased = (): Promise<unknown> => servers.primary.call('HGET', SERVER, 'erasedSince');
});
