import assert from 'node:assert/strict';
import type { EnclaveLog, Epoch } from '../../../shard/log/enclave-log.ts';
import { appended } from '../faulty-log.ts';
import type { SampleEnclave, SampleEvent } from '../sample-records.ts';

export interface LogBackend {
  /** Opens the store once more; whoever has it open is left as it is, as a process that died or hangs. */
  open(): Promise<EnclaveLog>;
  remove(): Promise<void>;
}

export const owner = (n: number): Uint8Array => new Uint8Array(16).fill(n);
export const note = (content: string): SampleEvent => ({ content: JSON.stringify(content) });

/** One enclave under one owner, as a host drives it. */
export class Driver {
  readonly log: EnclaveLog;
  readonly enclave: SampleEnclave;
  epoch: Epoch;

  private constructor(log: EnclaveLog, enclave: SampleEnclave, epoch: Epoch) {
    this.log = log;
    this.enclave = enclave;
    this.epoch = epoch;
  }

  static async open(log: EnclaveLog, enclave: SampleEnclave, by = 1): Promise<Driver> {
    const opened = await log.open(enclave.key, owner(by));
    assert.deepEqual(opened.head, enclave.head);
    assert.equal(opened.timestamp, enclave.timestamp);
    return new Driver(log, enclave, opened.epoch);
  }

  append(
    events: readonly SampleEvent[],
    close = false,
    deletes: readonly Uint8Array[] = [],
    dueAt = 0,
  ): Promise<string> {
    const made = this.enclave.batch(events, close);
    return appended(this.log, {
      key: this.enclave.key,
      epoch: this.epoch,
      ...made,
      timestamp: this.enclave.timestamp,
      dueAt,
      deletes,
    });
  }

  async acknowledged(
    events: readonly SampleEvent[],
    close = false,
    deletes: readonly Uint8Array[] = [],
    dueAt = 0,
  ): Promise<void> {
    assert.equal(await this.append(events, close, deletes, dueAt), 'ok');
  }
}

/** Everything that `enclave` holds is in the log, in order, and nothing else. */
export async function holds(log: EnclaveLog, enclave: SampleEnclave, page = 1): Promise<void> {
  const { key } = enclave;
  assert.deepEqual(await log.head(key), enclave.head);
  let next = 0;
  let content = '';
  let closings = 0;
  for (;;) {
    const batches = await log.read(key, next, page);
    if (batches.length === 0) break;
    for (const batch of batches) {
      assert.equal(batch.firstSeq, next);
      next += batch.events;
      closings += batch.closings;
      content += Buffer.from(batch.content).toString();
    }
  }
  assert.equal(next, enclave.head.seq + 1);
  assert.equal(closings, enclave.head.bundles);
  assert.equal(content, enclave.contents.join(''));
}

/** One test: over a store of its own, whose logs are closed and removed behind it. */
export type Using = (what: string, run: (backend: LogBackend, opened: EnclaveLog[]) => Promise<void>) => void;
