import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Room } from '../../../test/archive/room.ts';
import { missing, type RedisServer, startRedis } from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import { openSecp256k1 } from '../../crypto/open.ts';
import type { LogKey } from '../enclave-log.ts';
import { ArchiveService } from './archive-service.ts';
import { Backlog } from './backlog.ts';
import { BullHints } from './bull-hints.ts';
import { FileStore } from './file-store.ts';

const FIXTURE = fileURLToPath(new URL('./bull-hints.fixture.ts', import.meta.url));
const WAIT_MS = 20_000;
const key = (n: number): LogKey => ({ enclave: new Uint8Array(32).fill(n), lane: 0 });

describe('hints between processes', { skip: missing }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  // What a test leaves waiting is no work of the next one.
  beforeEach(() => redis.call('FLUSHALL'));
  after(() => redis.remove());

  function hints(errors: Error[] = [], lockMs = 30_000): BullHints {
    return new BullHints({ connection: redis.address, onError: (error) => errors.push(error), retryMs: 20, lockMs });
  }

  test('a hint of one process is work of another; hints while it runs are one more run', async () => {
    const [teller, worker] = [hints(), hints()];
    const ends: (() => void)[] = [];
    let runs = 0;
    let at = 0;
    worker.start(async ({ enclave }) => {
      runs++;
      at = enclave[0] as number;
      await new Promise<void>((resolve) => ends.push(resolve));
    });
    try {
      await hinted(
        () => teller.hint(key(5)),
        () => runs === 1,
      );
      assert.equal(at, 5);
      for (let i = 0; i < 20; i++) {
        teller.hint(key(5));
        worker.hint(key(5));
      }
      // Another log's hint comes behind them: when it runs, they are all in.
      teller.hint(key(6));
      await waitFor('the other log', WAIT_MS, () => runs === 2);
      for (const end of ends.splice(0)) end();
      await waitFor('the second run', WAIT_MS, () => runs === 3);
      assert.equal(at, 5);
      for (const end of ends.splice(0)) end();
      teller.hint(key(7));
      await waitFor('nothing but the third log', WAIT_MS, () => at === 7);
      assert.equal(runs, 4);
    } finally {
      for (const end of ends.splice(0)) end();
      await Promise.all([teller.close(), worker.close()]);
    }
  });

  test('work that fails is tried again', async () => {
    const worker = hints();
    let runs = 0;
    worker.start(async () => {
      if (++runs < 4) throw new Error('ordered by the test');
    });
    try {
      await hinted(
        () => worker.hint(key(1)),
        () => runs >= 1,
      );
      await waitFor('four runs', WAIT_MS, () => runs >= 4);
    } finally {
      await worker.close();
    }
  });

  test('the work of a process that was killed goes to another one', async () => {
    const child = spawn(process.execPath, [FIXTURE, String(redis.port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    const teller = hints();
    const worker = hints([], 1000);
    try {
      await waitFor('the child', WAIT_MS, () => said.includes('ready'));
      await hinted(
        () => teller.hint(key(2)),
        () => said.includes('begun 2'),
      );
      child.kill('SIGKILL');
      await once(child, 'exit');
      let runs = 0;
      worker.start(async ({ enclave }) => {
        if (enclave[0] === 2) runs++;
      });
      await waitFor('the work of the dead', WAIT_MS, () => runs >= 1);
    } finally {
      child.kill('SIGKILL');
      await Promise.all([teller.close(), worker.close()]);
    }
  });

  test('without Redis hints are lost without harm, and the sweep makes up for them', async () => {
    await using room = await Room.make('bull');
    const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
    const errors: Error[] = [];
    // A job that runs when Redis dies keeps its log's next one waiting until its lock is over.
    const jobs = hints(errors, 1000);
    const service = new ArchiveService({
      ...{ log: room.log, guard: room.guard, store: new FileStore(folder), verifier: openSecp256k1() },
      ...{ hints: jobs, backlog: new Backlog(), metrics: null, warn: () => {} },
    });
    try {
      await room.note('one');
      await room.close();
      await hinted(
        () => service.hint(room.key),
        async () => (await room.log.archived(room.key)) === 1,
      );
      await redis.kill();
      await room.note('two');
      await room.close();
      await waitFor('an error', WAIT_MS, () => {
        service.hint(room.key);
        return errors.length > 0;
      });
      assert.equal(await room.log.archived(room.key), 1);
      await redis.start();
      await waitFor('the sweep', WAIT_MS, async () => {
        service.sweep();
        return (await room.log.archived(room.key)) === 2;
      });
    } finally {
      await service.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** A hint while the connection is being made is lost: give it until it comes through, once it has begun no more. */
async function hinted(hint: () => void, done: () => boolean | Promise<boolean>): Promise<void> {
  await waitFor('a hint that came through', WAIT_MS, async () => {
    if (await done()) return true;
    hint();
    return false;
  });
}
