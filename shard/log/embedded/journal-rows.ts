/**
 * The rows of a journal frame (shard/journal/frame.ts): what a group of appends puts into LMDB, later, with other groups.
 * Row: u8 database, u8 1 = removed, u16 key length, u32 value length, key, value.
 */
const ROW_HEADER = 8;

export interface JournalRow {
  /** index into APPENDED (store.ts) */
  readonly table: number;
  readonly key: Buffer;
  /** null: the row is gone */
  readonly value: Buffer | null;
}

export function encodedLength(rows: readonly JournalRow[]): number {
  let length = 0;
  for (const { key, value } of rows) length += ROW_HEADER + key.length + (value?.length ?? 0);
  return length;
}

/** Fills `bytes`, which are as long as `encodedLength` says. */
export function encodeRows(rows: readonly JournalRow[], bytes: Buffer): void {
  let at = 0;
  for (const { table, key, value } of rows) {
    bytes[at] = table;
    bytes[at + 1] = value === null ? 1 : 0;
    bytes.writeUInt16LE(key.length, at + 2);
    bytes.writeUInt32LE(value?.length ?? 0, at + 4);
    at += ROW_HEADER;
    bytes.set(key, at);
    at += key.length;
    if (value === null) continue;
    bytes.set(value, at);
    at += value.length;
  }
}

/** The rows of a frame that checks; keys and values look into `bytes`. */
export function* decodeRows(bytes: Buffer): Generator<JournalRow> {
  for (let at = 0; at < bytes.length; ) {
    const keyAt = at + ROW_HEADER;
    const valueAt = keyAt + bytes.readUInt16LE(at + 2);
    const end = valueAt + bytes.readUInt32LE(at + 4);
    const value = bytes[at + 1] === 1 ? null : bytes.subarray(valueAt, end);
    yield { table: bytes[at] as number, key: bytes.subarray(keyAt, valueAt), value };
    at = end;
  }
}
