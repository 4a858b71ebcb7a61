import { getRow, type Rows } from './store.ts';
import { entryKey, entryKeySeq, KEY_PREFIX } from './row-keys.ts';

export interface FoundRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** The row of the batch that holds `seq` (which exists), or undefined. Rows are copies. */
export function findEntryRow(entries: Rows, prefix: Buffer, seq: number): FoundRow | undefined {
  const exact = entryKey(prefix, seq, 0);
  const direct = getRow(entries, exact);
  if (direct !== undefined && direct.readUInt32LE(16) > 0) return { key: exact, value: direct };
  for (const found of entriesBackwards(entries, prefix, seq)) return found;
  return undefined;
}

/** Rows of batches whose first seq is ≤ `seq`, last first. */
export function* entriesBackwards(entries: Rows, prefix: Buffer, seq: number): Generator<FoundRow> {
  for (const { key, value } of entries.getRange({ start: entryKey(prefix, seq, 0xffff), end: entryKey(prefix, 0, 0), inclusiveEnd: true, reverse: true })) {
    yield { key, value };
  }
}

/** Rows of batches from this key position on, in order. */
export function* entriesForwards(entries: Rows, prefix: Buffer, from: { seq: number; ordinal: number }): Generator<FoundRow> {
  for (const { key, value } of entries.getRange({ start: entryKey(prefix, from.seq, from.ordinal) })) {
    if (Buffer.compare(key.subarray(0, KEY_PREFIX), prefix) !== 0) return;
    yield { key, value };
  }
}

export function positionOf(key: Buffer): { seq: number; ordinal: number } {
  return { seq: entryKeySeq(key), ordinal: key.readUInt16BE(KEY_PREFIX + 8) };
}
