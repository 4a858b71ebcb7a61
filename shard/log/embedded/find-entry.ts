import type { Head } from '../../../kernel/kernel.ts';
import { foldHead } from '../fold-head.ts';
import { KEY_PREFIX } from '../row-keys.ts';
import { entryKey, entryKeySeq } from './entry-keys.ts';
import { decodeEntry, type Entry, entryAfter, entryBefore, PART_EARLIER, PART_LATER } from './entry-row.ts';
import { getRow, type RowRange, type Rows, viewRow } from './store.ts';

export interface FoundRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** As findEntryRow, over LMDB's own memory: valid until the next read of the store. */
export function viewEntryRow(entries: Rows, prefix: Buffer, seq: number): FoundRow | undefined {
  const exact = entryKey(prefix, seq, 0);
  const direct = viewRow(entries, exact);
  if (direct !== undefined && direct.readUInt32LE(16) > 0) return { key: exact, value: direct };
  for (const key of entries.getKeys(backwardsFrom(prefix, seq))) {
    const value = viewRow(entries, key);
    return value && { key, value };
  }
  return undefined;
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
  for (const { key, value } of entries.getRange(backwardsFrom(prefix, seq))) {
    yield { key, value };
  }
}

const backwardsFrom = (prefix: Buffer, seq: number): RowRange => ({
  start: entryKey(prefix, seq, 0xffff),
  end: entryKey(prefix, 0, 0),
  inclusiveEnd: true,
  reverse: true,
});

/** Rows of batches from this key position on, in order. */
export function* entriesForwards(
  entries: Rows,
  prefix: Buffer,
  from: { seq: number; ordinal: number },
): Generator<FoundRow> {
  for (const { key, value } of entries.getRange({ start: entryKey(prefix, from.seq, from.ordinal) })) {
    if (Buffer.compare(key.subarray(0, KEY_PREFIX), prefix) !== 0) return;
    yield { key, value };
  }
}

export function positionOf(key: Buffer): { seq: number; ordinal: number } {
  return { seq: entryKeySeq(key), ordinal: key.readUInt16BE(KEY_PREFIX + 8) };
}

export interface LinkedEntry {
  readonly key: Buffer;
  readonly entry: Entry;
  readonly before: Head;
  readonly after: Head;
}

/** Checked entries whose first seq is ≤ `seq`, last first, with their heads; those inside a batch are computed. Throws LogDamaged. */
export function* linkedBackwards(entries: Rows, prefix: Buffer, seq: number): Generator<LinkedEntry> {
  let parts: { key: Buffer; entry: Entry }[] = [];
  for (const { key, value } of entriesBackwards(entries, prefix, seq)) {
    const entry = decodeEntry(value, key);
    parts.unshift({ key, entry });
    if ((entry.part & PART_LATER) !== 0) continue;
    const linked: LinkedEntry[] = [];
    let head = entryBefore(entry);
    for (const part of parts) {
      const after =
        (part.entry.part & PART_EARLIER) !== 0 ? foldHead(head, part.entry.skeleton) : entryAfter(part.entry);
      linked.unshift({ ...part, before: head, after });
      head = after;
    }
    parts = [];
    yield* linked;
  }
}
