import { type Head, IC_TARGET, RECORD_EVENT, TYPES } from '../../../kernel/kernel.ts';
import { asBuffer, readInt } from '../bytes.ts';
import type { Append, Batch, Epoch, LogKey } from '../enclave-log.ts';
import { foldHead } from '../fold-head.ts';
import { eachRecord } from '../records.ts';
import { packAppend, packedSize } from './writer-messages.ts';

const DELETE = TYPES.indexOf('Delete');

/** The batches of a replaced tail as linked appends, packed as writer-messages.ts says. */
export function packReplacement(
  key: LogKey,
  epoch: Epoch,
  keep: Head,
  batches: readonly Batch[],
  timestamp: number,
  dueAt: number,
): Buffer {
  let expected = keep;
  const appends: Append[] = batches.map((batch, i) => {
    const skeleton = asBuffer(batch.skeleton);
    const next = foldHead(expected, skeleton);
    const deletes: Uint8Array[] = [];
    let last = timestamp;
    eachRecord(skeleton, (at, _length, kind) => {
      if (kind !== RECORD_EVENT) return;
      if (i < batches.length - 1) last = readInt(skeleton, at + 16);
      if (skeleton[at + 6] === DELETE && ((skeleton[at + 5] as number) & IC_TARGET) !== 0)
        deletes.push(skeleton.subarray(at + 304, at + 336));
    });
    const append: Append = { key, epoch, expected, next, batch, timestamp: last, dueAt, deletes, done: () => {} };
    expected = next;
    return append;
  });
  const packed = Buffer.alloc(appends.reduce((sum, append) => sum + packedSize(append), 0));
  let at = 0;
  for (const append of appends) at += packAppend(append, packed, at);
  return packed;
}
