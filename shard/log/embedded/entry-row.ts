import { crc32 } from 'node:zlib';
import { FORMAT_VERSION, type Head, RECORD_EVENT, RULES_VERSION } from '../../../kernel/kernel.ts';
import { padded, readInt, writeInt } from '../bytes.ts';
import { HEAD_BYTES, readHead } from '../head-bytes.ts';
import { LogDamaged, LogFormat } from '../log-errors.ts';
import { eachRecord } from '../records.ts';
import { keyOf } from '../row-keys.ts';
import { entryKeySeq } from './entry-keys.ts';

/**
 * A batch, or a part of one, in database `entries`: everything but the contents, which lie in a content file. Large
 * batches are split, so that reading one event does not read hundreds.
 *   0 u16 format   2 u16 rules   4 u32 crc32 of the key and of all from byte 8
 *   8 u64 first seq   16 u32 events   20 u32 closings
 *  24 head before (80 bytes)   104 head after
 * 184 u32 PART_* flags   188 u32 zero
 * 192 u32 content file   196 u32 content length as written   200 u64 offset in the file
 * 208 u32 skeleton length   212 u32 holes
 * 216 skeleton, u32 crc32 of every 4 KiB page of the content (holes read as zeros), padding to 8,
 *     holes (erased contents): u32 offset, u32 length each, in order
 * An erased event has content length 0 and IC_ERASED in its record; neither is covered by its id.
 */
export const ENTRY_HEADER = 216;
export const CONTENT_PAGE = 4096;
/** Not the first part of its batch: of the head before, only seq and bundles are filled in. */
export const PART_LATER = 1;
/** Not the last part: of the head after, only seq and bundles are filled in. */
export const PART_EARLIER = 2;

export interface ContentPlace {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

export interface Hole {
  readonly offset: number;
  readonly length: number;
}

/** A checked entry. `row` is owned by it. */
export interface Entry {
  readonly row: Buffer;
  readonly firstSeq: number;
  readonly events: number;
  readonly closings: number;
  /** PART_* */
  readonly part: number;
  readonly skeleton: Buffer;
  readonly place: ContentPlace;
  readonly holes: readonly Hole[];
}

export interface EntryFields {
  readonly firstSeq: number;
  readonly events: number;
  readonly closings: number;
  readonly part: number;
  /** heads in their 80 bytes */
  readonly before: Buffer;
  readonly after: Buffer;
}

/** Bytes of a row whose content has this length. */
export function entrySize(skeleton: number, content: number, holes = 0): number {
  return ENTRY_HEADER + skeleton + padded(4 * Math.ceil(content / CONTENT_PAGE)) + 8 * holes;
}

/** A row with all but version and checksum; `content` lies at `offset` of `file`. */
export function writeEntry(
  row: Buffer,
  fields: EntryFields,
  skeleton: Buffer,
  content: Buffer,
  file: number,
  offset: number,
): void {
  writeInt(row, fields.firstSeq, 8);
  row.writeUInt32LE(fields.events, 16);
  row.writeUInt32LE(fields.closings, 20);
  fields.before.copy(row, 24);
  fields.after.copy(row, 24 + HEAD_BYTES);
  row.writeUInt32LE(fields.part, 184);
  row.writeUInt32LE(0, 188);
  row.writeUInt32LE(content.length === 0 ? 0 : file, 192);
  row.writeUInt32LE(content.length, 196);
  writeInt(row, content.length === 0 ? 0 : offset, 200);
  row.writeUInt32LE(skeleton.length, 208);
  row.writeUInt32LE(0, 212);
  row.set(skeleton, ENTRY_HEADER);
  const pages = ENTRY_HEADER + skeleton.length;
  let at = pages;
  for (let page = 0; page * CONTENT_PAGE < content.length; page++, at += 4)
    row.writeUInt32LE(crc32(pageOf(content, page)), at);
  row.fill(0, at, pages + padded(at - pages));
}

/** Fills version and checksum of a row whose other fields are set. */
export function sealEntryRow(row: Buffer, key: Uint8Array): Buffer {
  row.writeUInt16LE(FORMAT_VERSION, 0);
  row.writeUInt16LE(RULES_VERSION, 2);
  row.writeUInt32LE(crc32(row.subarray(8), crc32(key)), 4);
  return row;
}

/** Throws LogDamaged unless the row checks, LogFormat if a newer version wrote it. Keeps `row`. */
export function decodeEntry(row: Buffer, key: Buffer): Entry {
  if (row.length < ENTRY_HEADER || crc32(row.subarray(8), crc32(key)) !== row.readUInt32LE(4)) {
    throw new LogDamaged(keyOf(key, 0), entryKeySeq(key), 'batch');
  }
  if (row.readUInt16LE(0) > FORMAT_VERSION)
    throw new LogFormat('This enclave was written by a newer version of the node: start that version.');
  const skeletonLength = row.readUInt32LE(208);
  const length = row.readUInt32LE(196);
  const holes: Hole[] = [];
  let at = entrySize(skeletonLength, length);
  for (let i = row.readUInt32LE(212); i > 0; i--, at += 8)
    holes.push({ offset: row.readUInt32LE(at), length: row.readUInt32LE(at + 4) });
  return {
    row,
    firstSeq: readInt(row, 8),
    events: row.readUInt32LE(16),
    closings: row.readUInt32LE(20),
    part: row.readUInt32LE(184),
    skeleton: row.subarray(ENTRY_HEADER, ENTRY_HEADER + skeletonLength),
    place: { file: row.readUInt32LE(192), offset: readInt(row, 200), length },
    holes,
  };
}

/** The same entry in memory of its own. */
export function copyEntry(entry: Entry): Entry {
  const row = Buffer.from(entry.row);
  return { ...entry, row, skeleton: row.subarray(ENTRY_HEADER, ENTRY_HEADER + entry.skeleton.length) };
}

export function entryBefore(entry: Entry): Head {
  return readHead(entry.row, 24);
}

export function entryAfter(entry: Entry): Head {
  return readHead(entry.row, 24 + HEAD_BYTES);
}

export function pageSum(entry: Entry, page: number): number {
  return entry.row.readUInt32LE(ENTRY_HEADER + entry.skeleton.length + 4 * page);
}

/** By event: where its record begins in the skeleton, and its content in the content as written (erased ones have length 0). */
export function contentOffsets(entry: Entry): { at: Uint32Array; records: Uint32Array } {
  const { skeleton, holes } = entry;
  const records = new Uint32Array(entry.events);
  const offsets = new Uint32Array(entry.events);
  let position = 0;
  let hole = 0;
  let event = 0;
  eachRecord(skeleton, (at, _length, kind) => {
    if (kind !== RECORD_EVENT) return;
    const length = skeleton.readUInt32LE(at + 44);
    if (length > 0)
      for (let next = holes[hole]; next !== undefined && next.offset === position; next = holes[++hole])
        position += next.length;
    records[event] = at;
    offsets[event++] = position;
    position += length;
  });
  return { at: offsets, records };
}

/**
 * The row of `entry` with a changed skeleton and further holes. `content` is the content as written with all old holes
 * as zeros; it is zeroed at the new ones. A page that did not check keeps its old sum, so that the damage stays visible.
 */
export function rewriteEntry(
  entry: Entry,
  key: Buffer,
  skeleton: Buffer,
  added: readonly Hole[],
  content: Buffer,
): Buffer {
  const holes = [...entry.holes, ...added].sort((a, b) => a.offset - b.offset);
  const sums = new Map<number, number>();
  for (const hole of added) {
    for (let page = Math.floor(hole.offset / CONTENT_PAGE); page * CONTENT_PAGE < hole.offset + hole.length; page++) {
      if (!sums.has(page) && crc32(pageOf(content, page)) === pageSum(entry, page)) sums.set(page, 0);
    }
  }
  for (const hole of added) content.fill(0, hole.offset, hole.offset + hole.length);
  const row = Buffer.alloc(entrySize(skeleton.length, entry.place.length, holes.length));
  entry.row.copy(row, 0, 0, ENTRY_HEADER);
  row.writeUInt32LE(skeleton.length, 208);
  row.writeUInt32LE(holes.length, 212);
  row.set(skeleton, ENTRY_HEADER);
  for (let page = 0; page * CONTENT_PAGE < entry.place.length; page++) {
    row.writeUInt32LE(
      sums.has(page) ? crc32(pageOf(content, page)) : pageSum(entry, page),
      ENTRY_HEADER + skeleton.length + 4 * page,
    );
  }
  let at = entrySize(skeleton.length, entry.place.length);
  for (const hole of holes) {
    row.writeUInt32LE(hole.offset, at);
    row.writeUInt32LE(hole.length, at + 4);
    at += 8;
  }
  return sealEntryRow(row, key);
}

export function pageOf(content: Buffer, page: number): Buffer {
  return content.subarray(page * CONTENT_PAGE, Math.min((page + 1) * CONTENT_PAGE, content.length));
}
