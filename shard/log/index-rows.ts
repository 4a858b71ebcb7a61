import { crc32 } from 'node:zlib';
import { FORMAT_VERSION } from '../../kernel/kernel.ts';
import { KEY_PREFIX } from './row-keys.ts';

/**
 * Derived from the entries and rebuilt when it is missing or does not check. Key: prefix, table 1,
 * number be32, part 1. Value: u16 format, u16 zero, u32 crc32 of the key and of all from byte 8, u32 generation (head row),
 * u32 count, sorted float64 each.
 *   table = field (index-columns.ts): number = segment, part = first 4 bits of the value; values prefix32 × 4,096 + offset
 *   table = BLOCK + field, for ids and hashes: number = block of 16 segments, part = first byte of the value;
 *     values prefix32 × 65,536 + offset
 */
export const BLOCK = 16;
export const BLOCK_SEGMENTS = 16;
/** A lookup then reads 2 KiB of a segment, not 32. */
export const SEGMENT_PARTS = 16;

export function segmentPart(prefix: number): number {
  return prefix >>> 28;
}

const HEADER = 16;

export function indexKey(prefix: Uint8Array, table: number, number: number, part: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_PREFIX + 6);
  key.set(prefix, 0);
  key[KEY_PREFIX] = table;
  key.writeUInt32BE(number, KEY_PREFIX + 1);
  key[KEY_PREFIX + 5] = part;
  return key;
}

export function encodeIndexRow(key: Buffer, generation: number, values: Float64Array): Buffer {
  const row = Buffer.allocUnsafeSlow(HEADER + values.byteLength);
  row.writeUInt32LE(FORMAT_VERSION, 0);
  row.writeUInt16LE(0, 2);
  row.writeUInt32LE(generation, 8);
  row.writeUInt32LE(values.length, 12);
  row.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), HEADER);
  row.writeUInt32LE(crc32(row.subarray(8), crc32(key)), 4);
  return row;
}

/** Sorted values of a row, over its bytes. */
export class IndexRow {
  readonly #bytes: Buffer;
  readonly count: number;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.count = bytes.readUInt32LE(12);
  }

  /** Null if the row is of another generation or format, or does not check: then it is built again. */
  static of(bytes: Buffer, key: Buffer, generation: number): IndexRow | null {
    if (bytes.length < HEADER || crc32(bytes.subarray(8), crc32(key)) !== bytes.readUInt32LE(4)) return null;
    if (bytes.readUInt16LE(0) !== FORMAT_VERSION || bytes.readUInt32LE(8) !== generation) return null;
    return bytes.length === HEADER + 8 * bytes.readUInt32LE(12) ? new IndexRow(bytes) : null;
  }

  value(at: number): number {
    return this.#bytes.readDoubleLE(HEADER + 8 * at);
  }

  /** Calls `found` with value − low for every value in [low, low + span). */
  each(low: number, span: number, found: (offset: number) => void): void {
    let start = 0;
    for (let end = this.count; start < end; ) {
      const middle = (start + end) >>> 1;
      if (this.value(middle) < low) start = middle + 1;
      else end = middle;
    }
    for (; start < this.count; start++) {
      const value = this.value(start);
      if (value >= low + span) return;
      found(value - low);
    }
  }
}
