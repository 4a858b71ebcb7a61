import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { logConformance } from '../../test/conformance/log-conformance.ts';
import { openEmbeddedLog } from './embedded/index.ts';
import type { EnclaveLog } from './enclave-log.ts';
import { SplitLog } from './split-log.ts';

const LOGS = 3;

async function openSplit(folder: string, logs = LOGS): Promise<EnclaveLog> {
  const open = (n: number) =>
    openEmbeddedLog({ folder: join(folder, String(n)), checkpointKey: new Uint8Array(32).fill(1) });
  return new SplitLog(await Promise.all(Array.from({ length: logs }, (_, n) => open(n))));
}

logConformance('three logs as one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-split-'));
  return {
    open: () => openSplit(folder),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

test('a new log among others takes their guard, and logs of two guards are refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-split-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const guard = new Uint8Array(16).fill(5);
  const two = await openSplit(folder, 2);
  assert.equal(await two.guardId(), null);
  await two.adoptGuard(guard);
  await two.close();
  const three = await openSplit(folder, 3);
  assert.deepEqual(new Uint8Array((await three.guardId()) as Uint8Array), guard);
  await three.close();
  const third = await openEmbeddedLog({ folder: join(folder, '2'), checkpointKey: new Uint8Array(32) });
  assert.deepEqual(new Uint8Array((await third.guardId()) as Uint8Array), guard);
  await third.adoptGuard(new Uint8Array(16));
  await third.close();
  const foreign = await openSplit(folder, 3);
  await assert.rejects(foreign.guardId(), /different guards/);
  await foreign.close();
});
