import { type Head, RECORD_EVENT } from '../../../kernel/kernel.ts';
import { asBuffer, readInt, writeInt } from '../bytes.ts';
import { offsetOfHead } from '../fold-head.ts';
import { emptyHead, HEAD_BYTES, sameHead, writeHead } from '../head-bytes.ts';
import { LogDamaged } from '../log-errors.ts';
import { eachRecord } from '../records.ts';
import { numberKey } from '../row-keys.ts';
import { appendStep, deletesStep } from './append-step.ts';
import { decodeArchived, encodeArchived } from './archive-row.ts';
import {
  type ContentPlace,
  contentOffsets,
  decodeEntry,
  type Entry,
  type Hole,
  PART_EARLIER,
  rewriteEntry,
  sealEntryRow,
} from './entry-row.ts';
import { entriesBackwards, linkedBackwards, positionOf } from './find-entry.ts';
import { sealHeadRow } from './head-row.ts';
import { getRow, type Store } from './store.ts';
import {
  headRow,
  journalOverwrite,
  keysFrom,
  moveDue,
  ownedBy,
  put,
  remove,
  type Transaction,
  zeroHoles,
} from './transaction.ts';
import { CODE_FENCED, CODE_OK, type WriteOp } from './writer-messages.ts';

type ReplaceOp = Extract<WriteOp, { kind: 'replace' }>;

/** Recovery: everything behind `keep` goes, its contents are overwritten, and the batches take its place; all in one write. */
export function replaceStep(tx: Transaction, op: ReplaceOp, file: number, offset: number): number {
  const { store } = tx;
  const prefix = asBuffer(op.prefix);
  const current = headRow(tx, prefix);
  if (!ownedBy(current, op.epoch)) return refuse(tx, op, file, offset);
  const dropped: { key: Buffer; place: ContentPlace }[] = [];
  let cut: { key: Buffer; row: Buffer; place: ContentPlace; holes: Hole[] } | null = null;
  const all = op.keep.seq === -1 && sameHead(op.keep, emptyHead(prefix.subarray(0, 32)));
  let reached = all;
  if (all) dropped.push(...wholeLog(store, prefix));
  for (const { key, entry, before, after } of all
    ? []
    : linkedBackwards(store.entries, prefix, readInt(current, 32) + 1)) {
    if (sameHead(after, op.keep)) {
      reached = true;
      break;
    }
    const end = offsetOfHead(before, entry.skeleton, op.keep);
    if (end > 0) {
      cut = cutEntry(tx, entry, key, end, op.keep);
      break;
    }
    dropped.push({ key, place: entry.place });
    if (end === 0) {
      reached = true;
      break;
    }
  }
  if (!reached && cut === null) return refuse(tx, op, file, offset);
  for (const { key, place } of dropped) {
    remove(tx, store.entries, key);
    if (place.length > 0) journalOverwrite(tx, place);
  }
  if (cut !== null) {
    put(tx, store.entries, cut.key, cut.row);
    for (const hole of cut.holes)
      journalOverwrite(tx, { file: cut.place.file, offset: cut.place.offset + hole.offset, length: hole.length });
  }
  for (const key of keysFrom(store.closings, numberKey(prefix, op.keep.bundles), prefix))
    remove(tx, store.closings, key);
  for (const key of keysFrom(store.checkpoints, numberKey(prefix, Math.max(0, op.keep.seq)), prefix))
    remove(tx, store.checkpoints, key);
  const row = Buffer.from(current);
  writeHead(row, op.keep, 32);
  moveDue(tx, prefix, readInt(current, 120), op.dueAt);
  writeInt(row, op.timestamp, 112);
  writeInt(row, op.dueAt, 120);
  row.writeUInt32LE(closingsBehind(store, prefix, op.keep.seq), 128);
  row.writeUInt32LE(current.readUInt32LE(132) + 1, 132);
  put(tx, store.heads, prefix, sealHeadRow(row, prefix));
  // What is archived behind `keep` is held against what comes in its place.
  if (decodeArchived(getRow(store.archive, prefix), prefix) > op.keep.bundles)
    put(tx, store.archive, prefix, encodeArchived(op.keep.bundles, prefix));
  const packed = asBuffer(op.packed);
  for (let i = 0, at = 0, place = offset; i < op.appends; i++) {
    const size = packed.readUInt32LE(at);
    const one = packed.subarray(at, at + size);
    const code = appendStep(tx, one, file, place);
    deletesStep(tx, one);
    if (code !== CODE_OK) throw new Error('The batches of a replaced tail do not link.');
    place += packed.readUInt32LE(at + 12);
    at += size;
  }
  return CODE_OK;
}

/** Every batch, damaged ones too: where the contents of those are can't be known, so they are left as they lie. */
function wholeLog(store: Store, prefix: Buffer): { key: Buffer; place: ContentPlace }[] {
  return keysFrom(store.entries, prefix, prefix).map((key) => {
    try {
      return { key, place: decodeEntry(getRow(store.entries, key) ?? Buffer.alloc(0), key).place };
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error;
      return { key, place: { file: 0, offset: 0, length: 0 } };
    }
  });
}

/** The entry up to skeleton byte `end`, where the head is `after`; the contents of what is cut off become holes. */
function cutEntry(
  tx: Transaction,
  entry: Entry,
  key: Buffer,
  end: number,
  after: Head,
): { key: Buffer; row: Buffer; place: ContentPlace; holes: Hole[] } {
  const { at, records } = contentOffsets(entry);
  const skeleton = Buffer.from(entry.skeleton.subarray(0, end));
  const holes: Hole[] = [];
  records.forEach((record, i) => {
    const length = entry.skeleton.readUInt32LE(record + 44);
    if (record >= end && length > 0) holes.push({ offset: at[i] as number, length });
  });
  const content = entry.place.length === 0 ? Buffer.alloc(0) : zeroHoles(tx.readContent(entry.place), entry.holes);
  const row = rewriteEntry(entry, key, skeleton, holes, content);
  let closings = 0;
  eachRecord(skeleton, (_at, _length, kind) => {
    if (kind !== RECORD_EVENT) closings++;
  });
  row.writeUInt32LE(records.filter((record) => record < end).length, 16);
  row.writeUInt32LE(closings, 20);
  writeHead(row, after, 24 + HEAD_BYTES);
  row.writeUInt32LE(entry.part & ~PART_EARLIER, 184);
  return { key, row: sealEntryRow(row, key), place: entry.place, holes };
}

/** Closings-only batches that are left behind the last event: the next ordinal. */
function closingsBehind(store: Store, prefix: Buffer, seq: number): number {
  for (const { key } of entriesBackwards(store.entries, prefix, seq + 1)) {
    const last = positionOf(key);
    return last.seq === seq + 1 ? last.ordinal + 1 : 0;
  }
  return 0;
}

/** Refused: what was written for it is overwritten. */
function refuse(tx: Transaction, op: ReplaceOp, file: number, offset: number): number {
  const packed = asBuffer(op.packed);
  let length = 0;
  for (let i = 0, at = 0; i < op.appends; i++, at += packed.readUInt32LE(at)) length += packed.readUInt32LE(at + 12);
  if (length > 0) journalOverwrite(tx, { file, offset, length });
  return CODE_FENCED;
}
