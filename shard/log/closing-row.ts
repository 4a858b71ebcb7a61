import { crc32 } from 'node:zlib';
import { FORMAT_VERSION } from '../../kernel/kernel.ts';
import type { LogKey } from './enclave-log.ts';
import { LogDamaged, LogFormat } from './log-errors.ts';
import { keyOf } from './row-keys.ts';

/** Closings, by CT leaf index: u16 format, u16 zero, u32 crc32 of key and record, the closing record. */
export function encodeClosing(record: Uint8Array, key: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(8 + record.length);
  row.writeUInt32LE(FORMAT_VERSION, 0);
  row.writeUInt32LE(crc32(record, crc32(key)), 4);
  row.set(record, 8);
  return row;
}

/** The record; throws LogDamaged or LogFormat. */
export function decodeClosing(row: Buffer, key: Buffer): Buffer {
  if (row.length < 8 + 272 || crc32(row.subarray(8), crc32(key)) !== row.readUInt32LE(4))
    throw new LogDamaged(keyOf(key, 0), -1, 'bundle closing');
  if (row.readUInt16LE(0) > FORMAT_VERSION)
    throw new LogFormat('This enclave was written by a newer version of the node: start that version.');
  return row.subarray(8);
}

/** The CT node of this level (1 and up) that the closing's leaf completes; 0 is the leaf itself. Throws LogDamaged. */
export function nodeOfClosing(key: LogKey, closing: Buffer, level: number): Buffer {
  if (level === 0) return closing.subarray(104, 136);
  if (closing.readUInt32LE(264) < level) throw new LogDamaged(key, -1, 'bundle closing');
  return closing.subarray(272 + 32 * (level - 1), 272 + 32 * level);
}
