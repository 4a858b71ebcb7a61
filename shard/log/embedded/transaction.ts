import { readInt } from '../bytes.ts';
import type { Epoch } from '../enclave-log.ts';
import { KEY_PREFIX } from '../row-keys.ts';
import { dueKey } from './entry-keys.ts';
import type { ContentPlace, Hole } from './entry-row.ts';
import { overwriteJournalKey, overwriteJournalValue } from './erase-journal.ts';
import { checkHeadRow } from './head-row.ts';
import { type Appended, getRow, type PointRows, type Rows, type Store } from './store.ts';

/** What one append sees of its group. */
export interface AppendTransaction {
  readonly store: Readonly<Record<Appended, PointRows>>;
  /** set by the first write: a step that throws before it has changed nothing */
  wrote: boolean;
}

/** One group's LMDB transaction, as its steps see it. */
export interface Transaction extends AppendTransaction {
  readonly store: Store;
  /** the content as written; holes may still hold what was erased */
  readonly readContent: (place: ContentPlace) => Buffer;
  /** bytes to overwrite once this is durable; journaled in it */
  readonly overwrite: ContentPlace[];
}

export const PRESENT = Buffer.from([1]);

export function put(tx: AppendTransaction, rows: PointRows, key: Buffer, value: Buffer): void {
  tx.wrote = true;
  rows.putSync(key, value);
}

export function remove(tx: AppendTransaction, rows: PointRows, key: Buffer): void {
  tx.wrote = true;
  rows.removeSync(key);
}

/** The checked head row of an enclave that must be there. */
export function headRow(tx: AppendTransaction, prefix: Buffer): Buffer | null {
  const row = getRow(tx.store.heads, prefix);
  return row === undefined ? null : checkHeadRow(row, prefix);
}

export function ownedBy(row: Buffer | null, epoch: Epoch): row is Buffer {
  return row !== null && readInt(row, 8) === epoch.counter && row.compare(epoch.nonce, 0, 16, 16, 32) === 0;
}

export function moveDue(tx: AppendTransaction, prefix: Buffer, from: number, to: number): void {
  if (from === to) return;
  if (from > 0) remove(tx, tx.store.due, dueKey(from, prefix));
  if (to > 0) put(tx, tx.store.due, dueKey(to, prefix), PRESENT);
}

export function journalOverwrite(tx: Transaction, place: ContentPlace): void {
  put(tx, tx.store.erasures, overwriteJournalKey(place), overwriteJournalValue(place));
  tx.overwrite.push(place);
}

export function keysFrom(rows: Rows, start: Buffer, prefix: Buffer): Buffer[] {
  const keys: Buffer[] = [];
  for (const key of rows.getKeys({ start })) {
    if (Buffer.compare(key.subarray(0, KEY_PREFIX), prefix) !== 0) break;
    keys.push(key);
  }
  return keys;
}

/** Zeros the holes of an entry in a part of its content, which begins at byte `from`. */
export function zeroHoles(content: Buffer, holes: readonly Hole[], from = 0): Buffer {
  const within = (at: number): number => Math.min(Math.max(0, at - from), content.length);
  for (const hole of holes) content.fill(0, within(hole.offset), within(hole.offset + hole.length));
  return content;
}
