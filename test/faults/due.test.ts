import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { unhex } from '../../protocol/hex.ts';
import { openFileGuard } from '../../shard/guard/file-guard.ts';
import { NodeProcess } from './node-process.ts';
import { Random } from './random.ts';
import { inFolder } from './scenario.ts';
import { Address, Workload } from './workload.ts';

/** More than are woken at once. */
const REGRESSED = 66;
const TIMEOUT_MS = 2500;
const DEADLINE_MS = 20_000;

test('a due bundle is closed while its enclave sleeps, also behind many enclaves that do not open', () =>
  inFolder(async (folder) => {
    const data = join(folder, 'data');
    const address = new Address();
    const workload = new Workload(address, new Random('due'));
    let node = await NodeProcess.start({ data });
    try {
      address.up(node.url);
      await Promise.all(Array.from({ length: REGRESSED }, () => workload.found({ size: 256, timeout: TIMEOUT_MS })));
      await workload.found({ size: 256, timeout: 2 * TIMEOUT_MS });
      await node.kill();
      const guard = await openFileGuard({ folder: join(data, 'guard') });
      for (const { id } of workload.enclaves.slice(0, REGRESSED)) {
        const key = { enclave: unhex(id), lane: 0 };
        const from = await guard.read(key);
        assert.ok(from);
        const moved = await new Promise((done) =>
          guard.advance({ key, from, to: { ...from, seq: from.seq + 5 }, done }),
        );
        assert.equal(moved, 'ok');
      }
      await guard.close();
      node = await NodeProcess.start({ data });
      const deadline = Date.now() + DEADLINE_MS;
      for (;;) {
        if (/^enc_bundles_closed_total [1-9]/m.test(await node.metrics())) break;
        assert.ok(Date.now() < deadline, 'the bundle was not closed');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      await node.kill();
    }
  }));
