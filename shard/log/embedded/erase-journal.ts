import { readInt, writeInt } from '../bytes.ts';
import { KEY_PREFIX } from '../row-keys.ts';
import type { ContentPlace } from './entry-row.ts';

/**
 * Database `erasures`: what a Delete still has to do.
 *   0x00 prefix36 event id32 → 1    written with the append of the Delete: find the event and every Update of it
 *   0x01 be32 file, u64 offset → u64 length    written with the marks: overwrite these bytes (idempotent)
 */
export const JOURNAL_EVENT = 0;
export const JOURNAL_BYTES = 1;

export function eraseJournalKey(prefix: Uint8Array, id: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(1 + KEY_PREFIX + 32);
  key[0] = JOURNAL_EVENT;
  key.set(prefix, 1);
  key.set(id, 1 + KEY_PREFIX);
  return key;
}

export function overwriteJournalKey(place: ContentPlace): Buffer {
  const key = Buffer.allocUnsafe(13);
  key[0] = JOURNAL_BYTES;
  key.writeUInt32BE(place.file, 1);
  writeInt(key, place.offset, 5);
  return key;
}

export function overwriteJournalValue(place: ContentPlace): Buffer {
  const value = Buffer.allocUnsafe(8);
  writeInt(value, place.length, 0);
  return value;
}

export function readOverwriteJournal(key: Buffer, value: Buffer): ContentPlace {
  return { file: key.readUInt32BE(1), offset: readInt(key, 5), length: readInt(value, 0) };
}
