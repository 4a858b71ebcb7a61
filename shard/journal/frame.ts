import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { padded, readInt, writeInt } from '../log/bytes.ts';

/**
 * A journal makes a group of writes durable by one write, and one wait for the disk; what it says is put into a database
 * later, many groups at once. It is a file of frames, one a group:
 *   0 u32 magic   4 u32 crc32 of all that follows, without the padding   8 u32 content length   12 u32 length of the rows
 *  16 u64 offset of the frame in its file   24 bytes16 nonce   40 u64 zero
 *  48 contents, rows, padding to 8
 * The nonce is random, and nowhere but in the database and in frames: no content that a client sends can pass for a frame,
 * and frames of another run or round are no frames of this one.
 */
export const FRAME_HEADER = 48;
const MAGIC = 0x4a434e45; // "ENCJ"

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
 * The whole frames with this nonce from `offset` on, in order. The first that does not check ends them: it was being
 * written when its writer died, so nobody was told of it. Returns false if a good one lies behind it: then it was not.
 */
export function* framesOf(path: string, offset: number, nonce: Uint8Array): Generator<FoundFrame, boolean> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    for (let at = offset; ; ) {
      const found = frameAt(fd, at, size, nonce);
      if (found === null) return !hasFrameBehind(fd, at, size, nonce);
      yield found;
      at = found.end;
    }
  } finally {
    closeSync(fd);
  }
}

function frameAt(fd: number, at: number, size: number, nonce: Uint8Array): FoundFrame | null {
  if (at + FRAME_HEADER > size) return null;
  const head = readAt(fd, at, FRAME_HEADER);
  const contentLength = head.readUInt32LE(8);
  const length = contentLength + head.readUInt32LE(12);
  if (
    head.readUInt32LE(0) !== MAGIC ||
    readInt(head, 16) !== at ||
    head.compare(nonce, 0, 16, 24, 40) !== 0 ||
    at + FRAME_HEADER + length > size
  )
    return null;
  const body = readAt(fd, at + FRAME_HEADER, length);
  if (crc32(body, crc32(head.subarray(8))) !== head.readUInt32LE(4)) return null;
  return { rows: body.subarray(contentLength), end: at + padded(FRAME_HEADER + length) };
}

/** Frames are written one after the other: one behind a frame that does not check means that it was whole once. */
function hasFrameBehind(fd: number, offset: number, size: number, nonce: Uint8Array): boolean {
  if (offset >= size) return false;
  const rest = readAt(fd, offset, size - offset);
  for (let at = rest.indexOf(nonce, 32); at >= 0; at = rest.indexOf(nonce, at + 1)) {
    const start = offset + at - 24;
    if (start > offset && start % 8 === 0 && frameAt(fd, start, size, nonce) !== null) return true;
  }
  return false;
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
