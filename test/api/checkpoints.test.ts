import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import type { EnclaveLog, NewCheckpoint } from '../../shard/log/enclave-log.ts';
import { waitFor } from '../parts/wait-for.ts';
import { manifest, owner, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';

/** Batches behind a checkpoint that make the next one due (shard/enclave/checkpoints.ts). */
const BATCHES = 128;
const SOON_MS = 5000;

const data = mkdtempSync(join(tmpdir(), 'enc-checkpoints-'));
after(() => rmSync(data, { recursive: true, force: true }));

/** Head seqs of the checkpoints that were taken, as the log was given them. */
const taken: number[] = [];

function watched(log: EnclaveLog): EnclaveLog {
  return new Proxy(log, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (name === 'checkpoint')
        return (...args: Parameters<EnclaveLog['checkpoint']>) => {
          taken.push((args[2] as NewCheckpoint).head.seq);
          return target.checkpoint(...args);
        };
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

const start = () => TestNode.start({ data, overrides: { log: watched } });

/** Commits one after the other: each is a batch. */
async function commits(enclave: TestEnclave, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await enclave.commit(owner, 'note', { n });
}

it('many small batches are worth a checkpoint, at the end of a bundle', async () => {
  await using node = await start();
  const enclave = await TestEnclave.found(node);
  await commits(enclave, 3 * BATCHES);
  assert.ok(taken.length >= 2, `${taken.length} were taken`);
  for (const [i, seq] of taken.entries()) {
    assert.equal((seq + 1) % 4, 0, 'not at the end of a bundle');
    const since = seq - (taken[i - 1] ?? -1);
    assert.ok(since >= BATCHES && since <= BATCHES + 8, `taken at ${taken}`);
  }
});

it('batches that another process has written count as well', async () => {
  const long = manifest({ bundle: { size: 256, timeout: 600_000 } });
  let node = await start();
  try {
    let enclave = await TestEnclave.found(node, long);
    await commits(enclave, BATCHES - 20);
    taken.length = 0;
    await node.halt();
    assert.deepEqual(taken, [], 'its bundle is open');
    node = await start();
    enclave = new TestEnclave(node, enclave.manifest, enclave.sequencer);
    await commits(enclave, 10);
    await enclave.closeBundle();
    await commits(enclave, 10);
    assert.deepEqual(taken, [], 'there are too few of them yet');
    const { seq } = await enclave.commit(owner, 'note', { n: 'last' });
    await enclave.closeBundle();
    await waitFor('a checkpoint', SOON_MS, () => taken.length > 0);
    assert.deepEqual(taken, [seq]);
  } finally {
    await node.halt();
  }
});
