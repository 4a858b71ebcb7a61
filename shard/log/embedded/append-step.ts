import { RECORD_CLOSING, RECORD_EVENT } from '../../../kernel/kernel.ts';
import { readInt, writeInt } from '../bytes.ts';
import { encodeClosing } from '../closing-row.ts';
import { HEAD_BYTES } from '../head-bytes.ts';
import { eachRecord } from '../records.ts';
import { KEY_PREFIX, numberKey } from '../row-keys.ts';
import { entryKey } from './entry-keys.ts';
import { entrySize, PART_EARLIER, PART_LATER, sealEntryRow, writeEntry } from './entry-row.ts';
import { eraseJournalKey } from './erase-journal.ts';
import { CONDITION_AT, CONDITION_BYTES, checkHeadRow, HEAD_ROW, sealHeadRow } from './head-row.ts';
import { getRow } from './store.ts';
import { type AppendTransaction, moveDue, PRESENT, put, type Transaction } from './transaction.ts';
import { CODE_FENCED, CODE_OK, PACKED_EXPECTED, PACKED_HEADER, PACKED_NEXT } from './writer-messages.ts';

/** Largest row of several events: four pages of LMDB, less its page header. */
const ROW_BYTES = 4 * 4096 - 16;

/**
 * The conditional write: compares the head row, and if it is as expected writes the batch and the new head. The contents
 * lie, or will lie before any of this is durable, at `offset` of content file `file`.
 */
export function appendStep(tx: AppendTransaction, packed: Buffer, file: number, offset: number): number {
  const { store } = tx;
  const prefix = packed.subarray(16, 16 + KEY_PREFIX);
  const skeleton = packed.subarray(PACKED_HEADER, PACKED_HEADER + packed.readUInt32LE(4));
  const deletes = packed.readUInt32LE(8);
  const contentAt = PACKED_HEADER + skeleton.length + 32 * deletes;
  const content = packed.subarray(contentAt, contentAt + packed.readUInt32LE(12));
  const head = getRow(store.heads, prefix);
  const fenced =
    head === undefined ||
    checkHeadRow(head, prefix).compare(
      packed,
      56,
      56 + CONDITION_BYTES,
      CONDITION_AT,
      CONDITION_AT + CONDITION_BYTES,
    ) !== 0;
  if (fenced) return CODE_FENCED;
  if (readInt(packed, 256) !== readInt(head, 32) + 1) throw new Error('A batch must begin behind the head.');
  const ordinal = head.readUInt32LE(128);
  const bytes = writeEntries(tx, packed, prefix, ordinal, skeleton, content, file, offset);
  const next = Buffer.allocUnsafe(HEAD_ROW);
  head.copy(next, 8, 8, 32);
  packed.copy(next, 32, PACKED_NEXT, PACKED_NEXT + HEAD_BYTES);
  moveDue(tx, prefix, readInt(head, 120), readInt(packed, 248));
  packed.copy(next, 112, 240, 256);
  next.writeUInt32LE(packed.readUInt32LE(264) > 0 ? 0 : ordinal + 1, 128);
  next.writeUInt32LE(head.readUInt32LE(132), 132);
  writeInt(next, readInt(head, 136) + bytes + content.length, 136);
  put(tx, store.heads, prefix, sealHeadRow(next, prefix));
  return CODE_OK;
}

/** Journals what the Deletes of an append have to do: part of the transaction that writes it. */
export function deletesStep(tx: Transaction, packed: Buffer): void {
  const prefix = packed.subarray(16, 16 + KEY_PREFIX);
  const ids = PACKED_HEADER + packed.readUInt32LE(4);
  for (let i = 0; i < packed.readUInt32LE(8); i++) {
    const at = ids + 32 * i;
    put(tx, tx.store.erasures, eraseJournalKey(prefix, packed.subarray(at, at + 32)), PRESENT);
  }
}

let scratch = Buffer.alloc(64 * 1024);

/** The rows of a batch, split behind closings or before events where it is large, and its closings; bytes of the entry rows. */
function writeEntries(
  tx: AppendTransaction,
  packed: Buffer,
  prefix: Buffer,
  ordinal: number,
  skeleton: Buffer,
  content: Buffer,
  file: number,
  offset: number,
): number {
  let written = 0;
  let before = packed.subarray(PACKED_EXPECTED, PACKED_EXPECTED + HEAD_BYTES);
  let start = 0;
  let contentStart = 0;
  let contentEnd = 0;
  let events = 0;
  let closings = 0;
  let bundles = readInt(before, 40);
  const flush = (end: number): void => {
    const firstSeq = readInt(before, 0) + 1;
    const last = end === skeleton.length;
    const after = last
      ? packed.subarray(PACKED_NEXT, PACKED_NEXT + HEAD_BYTES)
      : partialHead(firstSeq + events - 1, bundles);
    const size = entrySize(end - start, contentEnd - contentStart);
    if (scratch.length < size) scratch = Buffer.alloc(size * 2);
    const row = scratch.subarray(0, size);
    const key = entryKey(prefix, firstSeq, start === 0 ? ordinal : 0);
    const part = (start === 0 ? 0 : PART_LATER) | (last ? 0 : PART_EARLIER);
    writeEntry(
      row,
      { firstSeq, events, closings, part, before, after },
      skeleton.subarray(start, end),
      content.subarray(contentStart, contentEnd),
      file,
      offset + contentStart,
    );
    put(tx, tx.store.entries, key, sealEntryRow(row, key));
    written += size;
    before = after;
    start = end;
    contentStart = contentEnd;
    events = 0;
    closings = 0;
  };
  eachRecord(skeleton, (at, length, kind) => {
    if (kind === RECORD_EVENT) {
      const own = skeleton.readUInt32LE(at + 44);
      if (events > 0 && entrySize(at + length - start, contentEnd + own - contentStart) > ROW_BYTES) flush(at);
      contentEnd += own;
      events++;
      return;
    }
    closings++;
    if (kind !== RECORD_CLOSING) return;
    const record = skeleton.subarray(at, at + length);
    bundles = readInt(record, 8) + 1;
    const key = numberKey(prefix, bundles - 1);
    put(tx, tx.store.closings, key, encodeClosing(record, key));
  });
  if (contentEnd !== content.length) throw new Error('The contents of a batch do not fit its records.');
  flush(skeleton.length);
  return written;
}

/** Of a head inside a batch nobody has computed chain and root. */
function partialHead(seq: number, bundles: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  writeInt(head, seq, 0);
  writeInt(head, bundles, 40);
  return head;
}
