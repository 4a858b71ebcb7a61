import { crc32 } from 'node:zlib';
import type { Head } from '../../../kernel/kernel.ts';
import { FORMAT_VERSION, RULES_VERSION } from '../../../kernel/kernel.ts';
import { readInt, writeInt } from '../bytes.ts';
import type { Epoch } from '../enclave-log.ts';
import { HEAD_BYTES, readHead } from '../head-bytes.ts';
import { LogDamaged, LogFormat } from '../log-errors.ts';
import { keyOf } from '../row-keys.ts';

/**
 * The row that every conditional write compares (database `heads`):
 *   0 u16 format   2 u16 rules   4 u32 crc32 of the key and of all from byte 8
 *   8 u64 epoch counter   16 bytes16 owner's nonce
 *  32 head (80 bytes): i64 seq, bytes32 chain, u64 closed bundles, bytes32 CT root
 * 112 i64 timestamp of the last event   120 u64 due time of the open bundle, 0 if none
 * 128 u32 closings-only batches behind the last event   132 u32 generation: counts replaceTail
 * 136 u64 bytes stored
 */
export const HEAD_ROW = 144;
/** epoch and head, in one piece: what an append must find */
export const CONDITION_AT = 8;
export const CONDITION_BYTES = 24 + HEAD_BYTES;

export interface HeadRow {
  readonly epoch: Epoch;
  readonly head: Head;
  readonly timestamp: number;
  readonly dueAt: number;
  readonly ordinal: number;
  readonly generation: number;
  readonly bytes: number;
}

export function writeEpoch(bytes: Buffer, epoch: Epoch, at: number): void {
  writeInt(bytes, epoch.counter, at);
  bytes.set(epoch.nonce, at + 8);
}

/** Fills version and checksum of a row whose other fields are set; `prefix` is its key. */
export function sealHeadRow(row: Buffer, prefix: Uint8Array): Buffer {
  row.writeUInt16LE(FORMAT_VERSION, 0);
  row.writeUInt16LE(RULES_VERSION, 2);
  row.writeUInt32LE(crc32(row.subarray(8), crc32(prefix)), 4);
  return row;
}

/** Throws LogDamaged unless the row checks, LogFormat if a newer version wrote it. */
export function checkHeadRow(row: Buffer, prefix: Uint8Array): Buffer {
  if (row.length !== HEAD_ROW || crc32(row.subarray(8), crc32(prefix)) !== row.readUInt32LE(4))
    throw new LogDamaged(keyOf(prefix, 0), -1, 'head');
  if (row.readUInt16LE(0) > FORMAT_VERSION)
    throw new LogFormat('This enclave was written by a newer version of the node: start that version.');
  return row;
}

export function decodeHeadRow(row: Buffer, prefix: Uint8Array): HeadRow {
  checkHeadRow(row, prefix);
  return {
    epoch: { counter: readInt(row, 8), nonce: new Uint8Array(row.subarray(16, 32)) },
    head: readHead(row, 32),
    timestamp: readInt(row, 112),
    dueAt: readInt(row, 120),
    ordinal: row.readUInt32LE(128),
    generation: row.readUInt32LE(132),
    bytes: readInt(row, 136),
  };
}
