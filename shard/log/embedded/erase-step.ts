import { IC_ERASED } from '../../../kernel/kernel.ts';
import { asBuffer } from '../bytes.ts';
import { contentOffsets, decodeEntry, type Hole, rewriteEntry } from './entry-row.ts';
import { findEntryRow } from './find-entry.ts';
import { journalOverwrite, put, remove, type Transaction, zeroHoles } from './transaction.ts';
import { CODE_OK, type WriteOp } from './writer-messages.ts';

/** First the durable mark (this transaction), then the overwriting, which the journal repeats after a crash. */
export function eraseStep(tx: Transaction, op: Extract<WriteOp, { kind: 'erase' }>): number {
  const prefix = asBuffer(op.prefix);
  const left = op.events.map((event) => ({ ...event })).sort((a, b) => a.seq - b.seq);
  for (let i = 0; i < left.length; ) {
    const seq = (left[i] as { seq: number }).seq;
    const found = findEntryRow(tx.store.entries, prefix, seq);
    if (found === undefined) {
      i++;
      continue;
    }
    const entry = decodeEntry(found.value, found.key);
    const { at, records } = contentOffsets(entry);
    const skeleton = Buffer.from(entry.skeleton);
    const holes: Hole[] = [];
    for (; i < left.length; i++) {
      const event = left[i] as { seq: number; id: Uint8Array };
      const index = event.seq - entry.firstSeq;
      const record = records[index];
      if (event.seq !== seq && index >= entry.events) break;
      if (record === undefined || skeleton.compare(event.id, 0, 32, record + 48, record + 80) !== 0) continue;
      const length = skeleton.readUInt32LE(record + 44);
      skeleton.writeUInt8(skeleton.readUInt8(record + 5) | IC_ERASED, record + 5);
      skeleton.writeUInt32LE(0, record + 44);
      if (length > 0) holes.push({ offset: at[index] as number, length });
    }
    const content = entry.place.length === 0 ? Buffer.alloc(0) : zeroHoles(tx.readContent(entry.place), entry.holes);
    put(tx, tx.store.entries, found.key, rewriteEntry(entry, found.key, skeleton, holes, content));
    for (const hole of holes)
      journalOverwrite(tx, { file: entry.place.file, offset: entry.place.offset + hole.offset, length: hole.length });
  }
  remove(tx, tx.store.erasures, asBuffer(op.done));
  return CODE_OK;
}
