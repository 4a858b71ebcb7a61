import { crc32 } from 'node:zlib';
import { FORMAT_VERSION } from '../../../kernel/kernel.ts';
import { readInt, writeInt } from '../bytes.ts';

/** Database `archive`, by key prefix: u16 format, u16 zero, u32 crc32 of key and number, u64 archived bundles. */
export function encodeArchived(bundles: number, key: Uint8Array): Buffer {
  const row = Buffer.alloc(16);
  row.writeUInt16LE(FORMAT_VERSION, 0);
  writeInt(row, bundles, 8);
  row.writeUInt32LE(crc32(row.subarray(8), crc32(key)), 4);
  return row;
}

/** 0 if there is no row, or one that does not check: everything is then put, found there and verified once more. */
export function decodeArchived(row: Buffer | undefined, key: Uint8Array): number {
  if (row?.length !== 16 || crc32(row.subarray(8), crc32(key)) !== row.readUInt32LE(4)) return 0;
  return row.readUInt16LE(0) > FORMAT_VERSION ? 0 : readInt(row, 8);
}
