import { type Need, RECORD_CLOSING, RECORD_EVENT } from '../../kernel/kernel.ts';
import { splitRecords } from '../../protocol/records.ts';
import type { EnclaveLog, LogKey } from '../log/enclave-log.ts';
import type { InFlight } from './in-flight.ts';

const EMPTY = new Uint8Array(0);

const view = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);
const u64 = (v: DataView, at: number): number => v.getUint32(at, true) + v.getUint32(at + 4, true) * 2 ** 32;

interface Seen {
  readonly record: Uint8Array;
  readonly v: DataView;
  readonly content: Uint8Array;
}

function* records(batches: readonly InFlight[]): Generator<Seen> {
  for (const { sealed } of batches) {
    if (!sealed) continue;
    let behind = 0;
    for (const record of splitRecords(sealed.skeleton)) {
      const v = view(record);
      const from = behind;
      if (record[4] === RECORD_EVENT) behind += v.getUint32(44, true);
      yield { record, v, content: sealed.content.subarray(from, behind) };
    }
  }
}

/** Meta of an event as `host_event_meta` answers it: from, seq, lane, type. */
export function metaOf(record: Uint8Array): Uint8Array {
  const typeLength = view(record).getUint16(368, true);
  const meta = new Uint8Array(46 + typeLength);
  meta.set(record.subarray(112, 144));
  meta.set(record.subarray(8, 16), 32);
  meta.set(record.subarray(40, 44), 40);
  meta.set(record.subarray(368, 370), 44);
  meta.set(record.subarray(376, 376 + typeLength), 46);
  return meta;
}

/**
 * Answers what a kernel read needs from the log (kernel/kernel.ts `Need`). The kernel has sealed batches that may not
 * be in the log yet: those are looked through first. The caller lets the answer out only when they are released.
 */
export async function answerNeed(
  need: Need,
  log: EnclaveLog,
  key: LogKey,
  batches: readonly InFlight[],
): Promise<Uint8Array> {
  switch (need.kind) {
    case 1: {
      const completedBy = (need.b + 1) * 2 ** need.a - 1;
      for (const { record, v } of records(batches)) {
        if (record[4] !== RECORD_CLOSING || u64(v, 8) !== completedBy) continue;
        return need.a === 0 ? record.slice(104, 136) : record.slice(272 + (need.a - 1) * 32, 272 + need.a * 32);
      }
      return (await log.node(key, need.a, need.b)) ?? EMPTY;
    }
    case 2:
      for (const { record, v } of records(batches)) {
        if (record[4] === RECORD_CLOSING && u64(v, 8) === need.a) return record.slice();
      }
      return (await log.closing(key, need.a)) ?? EMPTY;
    case 3:
      return ids(need.a, need.b, log, key, batches);
    case 4: {
      for (const { record, v, content } of records(batches)) {
        if (record[4] === RECORD_EVENT && u64(v, 8) === need.a) return Buffer.concat([record, content]);
      }
      const stored = await log.record(key, need.a);
      return stored ? Buffer.concat([stored.record, stored.content]) : EMPTY;
    }
    case 5:
      for (const { record, v } of records(batches)) {
        const first = u64(v, 16);
        if (record[4] === RECORD_CLOSING && need.a >= first && need.a < first + v.getUint32(24, true))
          return record.slice();
      }
      return (await log.closingOf(key, need.a)) ?? EMPTY;
  }
}

async function ids(
  first: number,
  count: number,
  log: EnclaveLog,
  key: LogKey,
  batches: readonly InFlight[],
): Promise<Uint8Array> {
  const out = new Uint8Array(count * 32);
  const seen = new Uint8Array(count);
  let found = 0;
  const take = (record: Uint8Array, v: DataView): void => {
    if (record[4] !== RECORD_EVENT) return;
    const seq = u64(v, 8);
    if (seq < first || seq >= first + count || seen[seq - first]) return;
    seen[seq - first] = 1;
    out.set(record.subarray(48, 80), (seq - first) * 32);
    found++;
  };
  for (const { record, v } of records(batches)) take(record, v);
  let from = first;
  while (found < count && from < first + count) {
    const stored = await log.read(key, from, 1 << 20);
    if (stored.length === 0) break;
    for (const batch of stored) {
      for (const record of splitRecords(batch.skeleton)) {
        const v = view(record);
        if (record[4] === RECORD_EVENT && u64(v, 8) >= from) take(record, v);
      }
      from = Math.max(from, batch.firstSeq + batch.events);
    }
  }
  return found >= count ? out : EMPTY;
}
