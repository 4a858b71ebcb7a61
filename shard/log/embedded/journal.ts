import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { padded, readInt, writeInt } from '../bytes.ts';

/**
 * The journal: one write, and one wait for the disk, makes a group of appends durable. A frame holds the contents of
 * the group, which stay where they are (content-writer.ts), and the rows that LMDB is to get later, many groups at once.
 *   0 u32 magic   4 u32 crc32 of all that follows, without the padding   8 u32 content length   12 u32 length of the rows
 *  16 u64 offset of the frame in its file   24 bytes16 nonce of the run   40 u64 zero
 *  48 contents, rows, padding to 8
 * The nonce is random and nowhere but in LMDB and in frames, so that no content a client sends can pass for a frame.
 * Row: u8 database, u8 1 = removed, u16 key length, u32 value length, key, value.
 */
export const FRAME_HEADER = 48;
const MAGIC = 0x4a434e45; // "ENCJ"
const ROW_HEADER = 8;

export interface JournalRow {
  /** index into APPENDED (store.ts) */
  readonly table: number;
  readonly key: Buffer;
  /** null: the row is gone */
  readonly value: Buffer | null;
}

export function encodeRows(rows: readonly JournalRow[]): Buffer<ArrayBuffer> {
  let length = 0;
  for (const { key, value } of rows) length += ROW_HEADER + key.length + (value?.length ?? 0);
  // Not out of the pool: the bytes are handed to another thread.
  const bytes = Buffer.from(new ArrayBuffer(length));
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
  return bytes;
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

/** The pieces of a frame, in order, and its length. `contents` are `contentLength` bytes together. */
export function frame(
  offset: number,
  nonce: Uint8Array,
  contents: readonly Buffer[],
  contentLength: number,
  rows: Buffer,
): { parts: Buffer[]; length: number } {
  const head = Buffer.alloc(FRAME_HEADER);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(contentLength, 8);
  head.writeUInt32LE(rows.length, 12);
  writeInt(head, offset, 16);
  head.set(nonce, 24);
  let sum = crc32(head.subarray(8));
  for (const part of contents) sum = crc32(part, sum);
  head.writeUInt32LE(crc32(rows, sum), 4);
  const length = padded(FRAME_HEADER + contentLength + rows.length);
  const padding = Buffer.alloc(length - FRAME_HEADER - contentLength - rows.length);
  return { parts: [head, ...contents, rows, padding], length };
}

export interface FoundFrame {
  readonly rows: Buffer;
  /** where the next one begins */
  readonly end: number;
}

/**
 * The whole frames of a run from `offset` on, in order. The first that does not check ends them: it was being written
 * when its writer died, so nobody was told of it. (Damage to one that somebody was told of is found by the release guard.)
 */
export function* framesOf(path: string, offset: number, nonce: Uint8Array): Generator<FoundFrame> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    for (let at = offset; at + FRAME_HEADER <= size; ) {
      const head = readAt(fd, at, FRAME_HEADER);
      const contentLength = head.readUInt32LE(8);
      const length = contentLength + head.readUInt32LE(12);
      if (
        head.readUInt32LE(0) !== MAGIC ||
        readInt(head, 16) !== at ||
        head.compare(nonce, 0, 16, 24, 40) !== 0 ||
        at + FRAME_HEADER + length > size
      )
        return;
      const body = readAt(fd, at + FRAME_HEADER, length);
      if (crc32(body, crc32(head.subarray(8))) !== head.readUInt32LE(4)) return;
      at += padded(FRAME_HEADER + length);
      yield { rows: body.subarray(contentLength), end: at };
    }
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const got = readSync(fd, bytes, at, length - at, offset + at);
    if (got === 0) break; // cut meanwhile: what is missing reads as zeros and does not check
    at += got;
  }
  return bytes;
}
