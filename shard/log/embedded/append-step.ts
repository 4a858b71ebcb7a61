import { RECORD_CLOSING } from '../../../kernel/kernel.ts';
import { readInt, writeInt } from '../bytes.ts';
import { encodeClosing } from './closing-row.ts';
import { eachRecord, ENTRY_HEADER, placeContent, sealEntryRow } from './entry-row.ts';
import { eraseJournalKey } from './erase-journal.ts';
import { HEAD_BYTES } from '../head-bytes.ts';
import { checkHeadRow, CONDITION_AT, CONDITION_BYTES, HEAD_ROW, sealHeadRow } from './head-row.ts';
import { entryKey, KEY_PREFIX, numberKey } from './row-keys.ts';
import { getRow } from './store.ts';
import { journalOverwrite, moveDue, PRESENT, put, type Transaction } from './transaction.ts';
import { CODE_FENCED, CODE_OK, PACKED_HEADER } from './writer-messages.ts';

/** The conditional write: compares the head row, and if it is as expected writes the batch and the new head. */
export function appendStep(tx: Transaction, packed: Buffer, file: number, offset: number): number {
  const { store } = tx;
  const prefix = packed.subarray(16, 16 + KEY_PREFIX);
  const rowLength = packed.readUInt32LE(4);
  const deletes = packed.readUInt32LE(8);
  const contentLength = packed.readUInt32LE(12);
  const content = packed.subarray(PACKED_HEADER + rowLength + 32 * deletes, PACKED_HEADER + rowLength + 32 * deletes + contentLength);
  const head = getRow(store.heads, prefix);
  const fenced = head === undefined || checkHeadRow(head, prefix).compare(packed, 56, 56 + CONDITION_BYTES, CONDITION_AT, CONDITION_AT + CONDITION_BYTES) !== 0;
  if (fenced) {
    // Its content is on disk, behind the new durable end, and nothing will refer to it: overwrite it.
    if (contentLength > 0) journalOverwrite(tx, { file, offset, length: contentLength });
    return CODE_FENCED;
  }
  const firstSeq = readInt(packed, 256);
  if (firstSeq !== readInt(head, 32) + 1) throw new Error('A batch must begin behind the head.');
  const ordinal = head.readUInt32LE(128);
  const key = entryKey(prefix, firstSeq, ordinal);
  const row = packed.subarray(PACKED_HEADER, PACKED_HEADER + rowLength);
  placeContent(row, file, offset, content);
  put(tx, store.entries, key, sealEntryRow(row, key));
  eachRecord(row.subarray(ENTRY_HEADER, ENTRY_HEADER + row.readUInt32LE(208)), (at, length, kind) => {
    if (kind !== RECORD_CLOSING) return;
    const record = row.subarray(ENTRY_HEADER + at, ENTRY_HEADER + at + length);
    const closing = numberKey(prefix, readInt(record, 8));
    put(tx, store.closings, closing, encodeClosing(record, closing));
  });
  for (let i = 0; i < deletes; i++) {
    const at = PACKED_HEADER + rowLength + 32 * i;
    put(tx, store.erasures, eraseJournalKey(prefix, packed.subarray(at, at + 32)), PRESENT);
  }
  const next = Buffer.allocUnsafe(HEAD_ROW);
  head.copy(next, 8, 8, 32);
  packed.copy(next, 32, 80 + HEAD_BYTES, 80 + 2 * HEAD_BYTES);
  const dueAt = readInt(packed, 248);
  moveDue(tx, prefix, readInt(head, 120), dueAt);
  packed.copy(next, 112, 240, 256);
  next.writeUInt32LE(packed.readUInt32LE(264) > 0 ? 0 : ordinal + 1, 128);
  next.writeUInt32LE(head.readUInt32LE(132), 132);
  writeInt(next, readInt(head, 136) + rowLength + contentLength, 136);
  put(tx, store.heads, prefix, sealHeadRow(next, prefix));
  return CODE_OK;
}
