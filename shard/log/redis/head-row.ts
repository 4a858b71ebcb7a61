import { crc32 } from 'node:zlib';
import { FORMAT_VERSION, type Head, RULES_VERSION } from '../../../kernel/kernel.ts';
import { readInt, writeInt } from '../bytes.ts';
import type { Epoch } from '../enclave-log.ts';
import { emptyHead, HEAD_BYTES, readHead, writeHead } from '../head-bytes.ts';
import { LogDamaged, LogFormat } from '../log-errors.ts';
import { keyOf } from '../row-keys.ts';

/**
 * The row that every conditional write compares: field h of the lane hash.
 *   0 u16 format   2 u16 rules   4 u32 crc32 of the log's prefix and of bytes 32…127
 *   8 u64 epoch counter   16 bytes16 owner's nonce
 *  32 head (80 bytes): i64 seq, bytes32 chain, u64 closed bundles, bytes32 CT root
 * 112 i64 timestamp of the last event   120 u64 due time of the open bundle, 0 if none
 * 128 u32 closings-only batches behind the last event   132 u32 generation: counts replaceTail
 * 136 u32 erasures: counts batches rewritten   140 u32 1 if the row before was damaged: what is there is not known
 * 144 u64 bytes stored   152 u64 seq before which all batches have been trimmed
 * What the scripts count for themselves (epoch, 128 and on) is outside the checksum.
 */
export const HEAD_ROW = 160;
/** epoch and head, in one piece: what an append must find */
export const CONDITION_BYTES = 24 + HEAD_BYTES;
const BODY_AT = 32;
const BODY_BYTES = HEAD_BYTES + 16;

export interface HeadRow {
  readonly row: Buffer;
  readonly epoch: Epoch;
  readonly head: Head;
  readonly timestamp: number;
  readonly dueAt: number;
  readonly ordinal: number;
  readonly generation: number;
  readonly erasures: number;
  readonly lost: boolean;
  readonly bytes: number;
  readonly trimmed: number;
}

/** Three pieces of an append: the condition (104 bytes), the new row's first 8 bytes, and its body (96). */
export function appendPieces(
  prefix: Uint8Array,
  epoch: Epoch,
  expected: Head,
  next: Head,
  timestamp: number,
  dueAt: number,
): { condition: Buffer; start: Buffer; body: Buffer } {
  const bytes = Buffer.allocUnsafe(CONDITION_BYTES + 8 + BODY_BYTES);
  writeEpoch(bytes, epoch, 0);
  writeHead(bytes, expected, 24);
  const start = bytes.subarray(CONDITION_BYTES, CONDITION_BYTES + 8);
  const body = bytes.subarray(CONDITION_BYTES + 8);
  writeHead(body, next, 0);
  writeInt(body, timestamp, HEAD_BYTES);
  writeInt(body, dueAt, HEAD_BYTES + 8);
  writeStart(start, prefix, body);
  return { condition: bytes.subarray(0, CONDITION_BYTES), start, body };
}

export function epochBytes(epoch: Epoch): Buffer {
  const bytes = Buffer.alloc(24);
  writeEpoch(bytes, epoch, 0);
  return bytes;
}

/** The row of a log without events, before its first owner; or that takes the place of a damaged one. */
export function freshRow(prefix: Buffer, lost: boolean): Buffer {
  const row = Buffer.alloc(HEAD_ROW);
  if (lost) {
    // Nothing of the old row can be trusted: counters that are above all that it can have held.
    writeInt(row, Date.now(), 8);
    row.writeUInt32LE(Math.floor(Date.now() / 1000), 132);
    row.writeUInt32LE(1, 140);
  }
  writeHead(row, emptyHead(prefix.subarray(0, 32)), BODY_AT);
  writeInt(row, -1, 112);
  writeStart(row, prefix, row.subarray(BODY_AT, BODY_AT + BODY_BYTES));
  return row;
}

/** `before` with another head, as replaceTail leaves it: one generation on. */
export function replacedRow(
  before: HeadRow,
  prefix: Buffer,
  next: { head: Head; timestamp: number; dueAt: number; ordinal: number; bytes: number; trimmed: number },
): Buffer {
  const row = Buffer.from(before.row);
  writeHead(row, next.head, BODY_AT);
  writeInt(row, next.timestamp, 112);
  writeInt(row, next.dueAt, 120);
  row.writeUInt32LE(next.ordinal, 128);
  row.writeUInt32LE(before.generation + 1, 132);
  row.writeUInt32LE(0, 140);
  writeInt(row, next.bytes, 144);
  writeInt(row, next.trimmed, 152);
  writeStart(row, prefix, row.subarray(BODY_AT, BODY_AT + BODY_BYTES));
  return row;
}

/** Throws LogDamaged unless the row checks, LogFormat if a newer version wrote it. */
export function decodeHeadRow(row: Buffer, prefix: Uint8Array): HeadRow {
  if (row.length !== HEAD_ROW || checksum(prefix, row.subarray(BODY_AT, BODY_AT + BODY_BYTES)) !== row.readUInt32LE(4))
    throw new LogDamaged(keyOf(prefix, 0), -1, 'head');
  if (row.readUInt16LE(0) > FORMAT_VERSION)
    throw new LogFormat('This enclave was written by a newer version of the node: start that version.');
  return {
    row,
    epoch: { counter: readInt(row, 8), nonce: new Uint8Array(row.subarray(16, 32)) },
    head: readHead(row, BODY_AT),
    timestamp: readInt(row, 112),
    dueAt: readInt(row, 120),
    ordinal: row.readUInt32LE(128),
    generation: row.readUInt32LE(132),
    erasures: row.readUInt32LE(136),
    lost: row.readUInt32LE(140) === 1,
    bytes: readInt(row, 144),
    trimmed: readInt(row, 152),
  };
}

function writeEpoch(bytes: Buffer, epoch: Epoch, at: number): void {
  writeInt(bytes, epoch.counter, at);
  bytes.set(epoch.nonce, at + 8);
}

function writeStart(start: Buffer, prefix: Uint8Array, body: Buffer): void {
  start.writeUInt16LE(FORMAT_VERSION, 0);
  start.writeUInt16LE(RULES_VERSION, 2);
  start.writeUInt32LE(checksum(prefix, body), 4);
}

function checksum(prefix: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(prefix));
}
