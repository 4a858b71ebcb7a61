import type { Batch, CandidatePlan, LogKey } from '../enclave-log.ts';
import { asBuffer } from '../bytes.ts';
import type { LogReader } from './log-reader.ts';
import type { RecordCache } from './record-cache.ts';
import type { Store } from './store.ts';
import type { WriteQueue } from './write-queue.ts';

export class IndexReader {
  readonly #reader: LogReader;
  readonly #records: RecordCache;

  constructor(_store: Store, reader: LogReader, records: RecordCache, _queue: WriteQueue) {
    this.#reader = reader;
    this.#records = records;
  }

  appended(_key: LogKey, _batch: Batch): void {}

  async find(key: LogKey, field: 'id' | 'hash', value: Uint8Array): Promise<number> {
    const at = field === 'id' ? 48 : 80;
    const head = this.#reader.head(key)?.head.seq ?? -1;
    for (let seq = 0; seq <= head; seq++) if (this.#records.skeleton(key, seq)?.compare(value, 0, 32, at, at + 32) === 0) return seq;
    return -1;
  }

  *candidates(key: LogKey, plan: CandidatePlan): Generator<number> {
    const head = this.#reader.head(key)?.head.seq ?? -1;
    const to = Math.min(plan.to, head);
    const from = Math.max(0, plan.from);
    const targets = plan.targets?.map(asBuffer);
    for (let next = plan.reverse ? to : from; next >= from && next <= to; next += plan.reverse ? -1 : 1) {
      const record = this.#records.skeleton(key, next);
      if (record === null) return;
      if (targets !== undefined && !targets.some((target) => record.compare(target, 0, 32, 304, 336) === 0)) continue;
      yield next;
    }
  }

  release(_key: LogKey): void {}

  close(): void {}
}
