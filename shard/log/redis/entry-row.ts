import { crc32 } from 'node:zlib';
import { FORMAT_VERSION, type Head, IC_ERASED, RECORD_EVENT, RULES_VERSION } from '../../../kernel/kernel.ts';
import { asBuffer, readInt, writeInt } from '../bytes.ts';
import type { Batch, LogKey } from '../enclave-log.ts';
import { readHead, writeHead } from '../head-bytes.ts';
import { LogDamaged, LogFormat } from '../log-errors.ts';
import { eachRecord } from '../records.ts';
import { keyOf } from '../row-keys.ts';

/**
 * A batch is one entry of two fields: its contents as they are, and all the rest in this row, so that a Delete rewrites
 * the contents alone.
 *   0 u16 format   2 u16 rules   4 u32 crc32 of the log's prefix and of all from byte 8
 *   8 u64 first seq   16 u32 events   20 u32 closings
 *  24 head before (80 bytes)
 * 104 u32 content length   108 u32 crc32 of the contents
 * 112 skeleton
 * An erased event has content length 0 and IC_ERASED in its record; neither is covered by its id.
 */
const HEADER = 112;

export interface Entry {
  readonly firstSeq: number;
  readonly events: number;
  readonly closings: number;
  readonly skeleton: Buffer;
  readonly row: Buffer;
  readonly contentLength: number;
  /** null: has not been read */
  content: Buffer | null;
}

export function encodeEntry(prefix: Uint8Array, batch: Batch, before: Head): Buffer {
  const row = Buffer.allocUnsafe(HEADER + batch.skeleton.length);
  writeInt(row, batch.firstSeq, 8);
  row.writeUInt32LE(batch.events, 16);
  row.writeUInt32LE(batch.closings, 20);
  writeHead(row, before, 24);
  row.set(batch.skeleton, HEADER);
  return seal(prefix, row, batch.content);
}

function seal(prefix: Uint8Array, row: Buffer, content: Uint8Array): Buffer {
  row.writeUInt16LE(FORMAT_VERSION, 0);
  row.writeUInt16LE(RULES_VERSION, 2);
  row.writeUInt32LE(content.length, 104);
  row.writeUInt32LE(crc32(content), 108);
  row.writeUInt32LE(crc32(row.subarray(8), crc32(prefix)), 4);
  return row;
}

/** Throws LogDamaged unless row and contents check, LogFormat if a newer version wrote them. `content`: null if it was not read. */
export function decodeEntry(prefix: Buffer, row: Buffer, content: Buffer | null): Entry {
  if (row.length < HEADER || crc32(row.subarray(8), crc32(prefix)) !== row.readUInt32LE(4))
    throw new LogDamaged(keyOf(prefix, 0), -1, 'batch');
  if (row.readUInt16LE(0) > FORMAT_VERSION)
    throw new LogFormat('This enclave was written by a newer version of the node: start that version.');
  const firstSeq = readInt(row, 8);
  if (content !== null && (content.length !== row.readUInt32LE(104) || crc32(content) !== row.readUInt32LE(108)))
    throw new LogDamaged(keyOf(prefix, 0), firstSeq, 'content of a batch');
  return {
    firstSeq,
    events: row.readUInt32LE(16),
    closings: row.readUInt32LE(20),
    skeleton: row.subarray(HEADER),
    row,
    contentLength: row.readUInt32LE(104),
    content,
  };
}

export function entryBefore(entry: Entry): Head {
  return readHead(entry.row, 24);
}

/** By event: where its record begins in the skeleton, and its content in the contents. Throws LogDamaged. */
export function eventPlaces(
  key: LogKey,
  entry: Pick<Entry, 'skeleton' | 'events'>,
): { at: Uint32Array; content: Uint32Array } {
  const at = new Uint32Array(entry.events);
  const content = new Uint32Array(entry.events);
  let event = 0;
  let position = 0;
  eachRecord(
    entry.skeleton,
    (place, _length, kind) => {
      if (kind !== RECORD_EVENT) return;
      at[event] = place;
      content[event++] = position;
      position += entry.skeleton.readUInt32LE(place + 44);
    },
    key,
  );
  return { at, content };
}

/** The entry with the contents of these events gone; null if there is nothing to change. `entry.content` must have been read. */
export function eraseFrom(
  key: LogKey,
  prefix: Uint8Array,
  entry: Entry,
  ids: readonly Uint8Array[],
): { row: Buffer; content: Buffer } | null {
  const places = eventPlaces(key, entry);
  const row = Buffer.from(entry.row);
  const old = entry.content as Buffer;
  const kept: Buffer[] = [];
  let changed = false;
  for (let i = 0; i < entry.events; i++) {
    const record = HEADER + (places.at[i] as number);
    const start = places.content[i] as number;
    const length = row.readUInt32LE(record + 44);
    if (!ids.some((id) => row.compare(id, 0, 32, record + 48, record + 80) === 0)) {
      kept.push(old.subarray(start, start + length));
      continue;
    }
    if (((row[record + 5] as number) & IC_ERASED) !== 0 && length === 0) continue;
    changed = true;
    row.writeUInt8((row[record + 5] as number) | IC_ERASED, record + 5);
    row.writeUInt32LE(0, record + 44);
  }
  if (!changed) return null;
  const content = Buffer.concat(kept);
  return { row: seal(prefix, row, content), content };
}

/** The entry up to byte `end` of its skeleton, its contents likewise. */
export function cutEntry(key: LogKey, prefix: Uint8Array, entry: Entry, end: number): { batch: Batch; row: Buffer } {
  const skeleton = entry.skeleton.subarray(0, end);
  let events = 0;
  let closings = 0;
  let length = 0;
  eachRecord(
    skeleton,
    (at, _length, kind) => {
      if (kind !== RECORD_EVENT) closings++;
      else {
        events++;
        length += skeleton.readUInt32LE(at + 44);
      }
    },
    key,
  );
  const content = (entry.content as Buffer).subarray(0, length);
  const batch = { firstSeq: entry.firstSeq, events, closings, skeleton, content };
  return { batch, row: encodeEntry(prefix, batch, entryBefore(entry)) };
}

/** The batch without the events from `end` on, and what is behind them. */
export function batchUpTo(key: LogKey, batch: Batch, end: number): Batch {
  if (batch.firstSeq + batch.events <= end) return batch;
  const skeleton = asBuffer(batch.skeleton);
  const { at, content } = eventPlaces(key, { skeleton, events: batch.events });
  const events = Math.max(0, end - batch.firstSeq);
  let closings = 0;
  eachRecord(
    skeleton,
    (place, _length, kind) => {
      if (kind !== RECORD_EVENT && place < (at[events] as number)) closings++;
    },
    key,
  );
  return {
    firstSeq: batch.firstSeq,
    events,
    closings,
    skeleton: batch.skeleton.subarray(0, at[events]),
    content: batch.content.subarray(0, content[events]),
  };
}

/** Bytes of records and contents as Usage counts them. */
export function entryBytes(batch: Batch): number {
  return HEADER + batch.skeleton.length + batch.content.length;
}

export function asBatch(entry: Entry): Batch {
  return {
    firstSeq: entry.firstSeq,
    events: entry.events,
    closings: entry.closings,
    skeleton: asBytes(entry.skeleton),
    content: asBytes(asBuffer(entry.content ?? new Uint8Array(0))),
  };
}

function asBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
