import assert from 'node:assert/strict';
import { type Fault, FaultyLog } from '../faulty-log.ts';
import { SampleEnclave } from '../sample-records.ts';
import { Driver, holds, type LogBackend, note, owner, type Using } from './driver.ts';

/** Every operation that fails, or fails but persisted; then the owner goes on, or dies (ARCHITECTURE §3). */
export function faultTests(using: Using): void {
  for (const operation of ['open', 'append', 'checkpoint', 'replaceTail', 'adoptGuard'] as const) {
    for (const fault of ['failed', 'persisted'] as const) {
      for (const after of ['progress', 'crash'] as const) {
        using(`${operation} ${fault}, then ${after}: nothing acknowledged is lost, and the log goes on`, (backend) =>
          faulted(backend, operation, fault, after),
        );
      }
    }
  }

  for (const operation of ['read', 'head', 'findId', 'closing', 'record', 'due', 'list', 'seqAtTime'] as const) {
    using(`${operation} that fails is an error, never an empty answer`, async (backend) => {
      const faulty = new FaultyLog(await backend.open());
      const driver = await Driver.open(faulty.log, new SampleEnclave('read faults'));
      await driver.acknowledged([note('a')], true);
      const { key } = driver.enclave;
      const calls = {
        read: () => faulty.log.read(key, 0, 1),
        head: () => faulty.log.head(key),
        findId: () => faulty.log.findId(key, owner(1)),
        closing: () => faulty.log.closing(key, 0),
        record: () => faulty.log.record(key, 0),
        due: () => faulty.log.due(1, 1),
        list: () => faulty.log.list(null, 1),
        seqAtTime: () => faulty.log.seqAtTime(key, 1),
      };
      faulty.next(operation, 'failed');
      await assert.rejects(calls[operation](), { name: 'LogUnavailable' });
      await holds(faulty.log, driver.enclave);
    });
  }
}

/** One cell of the matrix. The rule of ARCHITECTURE §3: unknown → drop the instance, reopen, read the truth. */
async function faulted(
  backend: LogBackend,
  operation: 'open' | 'append' | 'checkpoint' | 'replaceTail' | 'adoptGuard',
  fault: Fault,
  after: 'progress' | 'crash',
): Promise<void> {
  const faulty = new FaultyLog(await backend.open());
  const driver = await Driver.open(faulty.log, new SampleEnclave(`${operation} ${fault} ${after}`));
  await driver.acknowledged([note('acknowledged 1')], true);
  await driver.acknowledged([note('acknowledged 2')]);
  await faulty.log.adoptGuard(owner(1));
  const sure = driver.enclave.fork();
  const { key } = sure;
  let possible = sure;
  faulty.next(operation, fault);
  if (operation === 'open') await assert.rejects(faulty.log.open(key, owner(2)), { name: 'LogUnavailable' });
  if (operation === 'adoptGuard') await assert.rejects(faulty.log.adoptGuard(owner(2)), { name: 'LogUnavailable' });
  if (operation === 'checkpoint') {
    const { head, timestamp } = sure;
    await assert.rejects(
      faulty.log.checkpoint(key, driver.epoch, {
        head,
        base: owner(1),
        recent: owner(2),
        recentFrom: 0,
        recentMaxExp: 999,
        timestamp,
      }),
      { name: 'LogUnavailable' },
    );
  }
  if (operation === 'append') {
    const results = [driver.append([note('unsure 1')], true), driver.append([note('unsure 2')])];
    // What was staged on it is refused if it came to nothing, and lands if it had persisted.
    assert.deepEqual(await Promise.all(results), ['unknown', fault === 'failed' ? 'fenced' : 'ok']);
    possible = driver.enclave;
  }
  if (operation === 'replaceTail') {
    possible = sure.fork();
    const made = possible.batch([note('unsure')]);
    assert.equal(
      await faulty.log.replaceTail(key, driver.epoch, sure.head, [made.batch], possible.head, possible.timestamp, 0),
      'unknown',
    );
  }
  const log = after === 'crash' ? await backend.open() : faulty.log;
  const truth = fault === 'persisted' ? possible : sure;
  const again = await Driver.open(log, truth, 3);
  await again.acknowledged([note('goes on')], true);
  await holds(log, truth);
  await holds(await backend.open(), truth);
  assert.deepEqual(
    new Uint8Array((await log.guardId()) as Uint8Array),
    owner(operation === 'adoptGuard' && fault === 'persisted' ? 2 : 1),
  );
  assert.equal(await driver.append([note('zombie')]), 'fenced');
}
