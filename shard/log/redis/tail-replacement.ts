import { type Head, IC_TARGET, RECORD_CLOSING, RECORD_EVENT, TYPES } from '../../../kernel/kernel.ts';
import type { Arg } from '../../redis/script.ts';
import { asBuffer, readInt } from '../bytes.ts';
import { encodeClosing } from '../closing-row.ts';
import type { Batch, LogKey } from '../enclave-log.ts';
import { foldHead, offsetOfHead } from '../fold-head.ts';
import { emptyHead, sameHead } from '../head-bytes.ts';
import { SEGMENT } from '../index-columns.ts';
import { eachRecord } from '../records.ts';
import { numberKey, prefixOf } from '../row-keys.ts';
import { cutEntry, type Entry, encodeEntry, entryBefore, entryBytes } from './entry-row.ts';
import { type HeadRow, replacedRow } from './head-row.ts';
import {
  checkpointRowKey,
  checkpointSeq,
  checkpointsKey,
  closingField,
  closingKey,
  closingKeys,
  DUE,
  deletesKey,
  ERASURES,
  keysOf,
  laneKey,
  nearClosings,
  placeBytes,
  SERVER,
  segmentKey,
} from './keys.ts';
import type { LogReader } from './log-reader.ts';

const DELETE = TYPES.indexOf('Delete');

/** Keys and arguments of replace-n.lua. */
export interface Replacement {
  readonly keys: Arg[];
  readonly args: Arg[];
}

export interface NewTail {
  readonly keep: Head;
  readonly batches: readonly Batch[];
  readonly head: Head;
  readonly timestamp: number;
  readonly dueAt: number;
}

/** What to write so that `tail` takes the place of what is behind its `keep`; null if the log never had that head. */
export async function planReplacement(
  key: LogKey,
  reader: LogReader,
  row: HeadRow,
  tail: NewTail,
): Promise<Replacement | null> {
  const changes = new Changes(key);
  const all = tail.keep.seq === -1 && sameHead(tail.keep, emptyHead(key.enclave));
  const ordinal = all ? 0 : await cut(key, reader, row, tail.keep, changes);
  if (ordinal === null) return null;
  if (all) await clear(key, reader, row, changes);
  else await dropBehind(key, reader, row, tail.keep, changes);
  const put = putBatches(key, tail, ordinal, changes);
  const next = replacedRow(row, prefixOf(key), {
    head: tail.head,
    timestamp: tail.timestamp,
    dueAt: tail.dueAt,
    ordinal: put.ordinal,
    bytes: (all ? 0 : row.bytes) + put.bytes,
    trimmed: all ? 0 : row.trimmed,
  });
  return changes.command(row.row, next, tail);
}

/** The changes in the shape that the script takes. */
class Changes {
  readonly lane: string;
  readonly #prefix: Buffer;
  readonly #keys: string[];
  readonly #places = new Map<string, string>();
  readonly #args: Arg[] = [];

  constructor(key: LogKey) {
    this.lane = laneKey(key);
    this.#prefix = prefixOf(key);
    this.#keys = [this.lane, DUE, SERVER];
    for (const [i, name] of this.#keys.entries()) this.#places.set(name, String(i + 1));
  }

  add(what: 'HSET' | 'HDEL' | 'UNLINK' | 'SADD' | 'ZADD', key: string, a: Arg = '', b: Arg = ''): void {
    let place = this.#places.get(key);
    if (place === undefined) {
      this.#keys.push(key);
      place = String(this.#keys.length);
      this.#places.set(key, place);
    }
    this.#args.push(what, place, a, b);
  }

  command(before: Buffer, next: Buffer, { dueAt, keep }: NewTail): Replacement {
    return {
      keys: this.#keys,
      args: [before, next, String(dueAt), this.#prefix, String(Date.now()), String(keep.bundles), ...this.#args],
    };
  }
}

/** Cuts the batch that `keep` is in; the number of batches without events that then stand behind the last event. */
async function cut(key: LogKey, reader: LogReader, row: HeadRow, keep: Head, changes: Changes): Promise<number | null> {
  if (sameHead(keep, row.head)) return row.ordinal;
  if (keep.seq < row.trimmed - 1) return null;
  let ordinal = 0;
  for (const entry of await reader.entriesAt(key, Math.max(keep.seq, row.trimmed))) {
    const end = offsetOfHead(entryBefore(entry), entry.skeleton, keep);
    if (end === 0) return ordinal;
    if (end > 0) {
      if (end < entry.skeleton.length) shorten(key, entry, end, ordinal, changes);
      return entry.events === 0 ? ordinal + 1 : 0;
    }
    if (entry.events === 0) ordinal++;
  }
  return null;
}

function shorten(key: LogKey, entry: Entry, end: number, ordinal: number, changes: Changes): void {
  const { batch, row } = cutEntry(key, prefixOf(key), entry, end);
  const { segment, bytes } = entryPlace(entry);
  const hash = segmentKey(changes.lane, segment);
  if (entry.events === 0) return changes.add('HSET', hash, closingsField(bytes, ordinal), row);
  changes.add('HSET', hash, field('s', bytes), row);
  if (batch.content.length > 0) changes.add('HSET', hash, field('c', bytes), batch.content);
  else changes.add('HDEL', hash, field('c', bytes));
}

/** Every batch, closing and checkpoint behind `keep`, and all index rows from its segment on. */
async function dropBehind(key: LogKey, reader: LogReader, row: HeadRow, keep: Head, changes: Changes): Promise<void> {
  const { lane } = changes;
  const first = Math.floor(Math.max(0, keep.seq) / SEGMENT);
  for (let n = first + 1; n * SEGMENT <= row.head.seq + 1; n++) await dropPlaces(reader, changes, n, keep);
  await dropPlaces(reader, changes, first, keep);
  for (let n = first; (n + 1) * SEGMENT <= row.head.seq + 1; n++) changes.add('UNLINK', `${lane}:i${n}`);
  await dropClosings(changes, keep.bundles, row.head.bundles, reader);
  const prefix = prefixOf(key);
  for (const one of (await reader.fetch('HKEYS', checkpointsKey(lane))) as Buffer[])
    if (checkpointSeq(checkpointRowKey(prefix, one)) >= Math.max(0, keep.seq))
      changes.add('HDEL', checkpointsKey(lane), Buffer.from(one));
}

/** Fields of a segment that stand behind `keep`. */
async function dropPlaces(reader: LogReader, changes: Changes, segment: number, keep: Head): Promise<void> {
  const hash = segmentKey(changes.lane, segment);
  const closings: { field: Buffer; row: Buffer }[] = [];
  for (const one of (await reader.fetch('HKEYS', hash)) as Buffer[]) {
    const seq = segment * SEGMENT + one.readUInt16BE(1);
    if (seq > keep.seq + 1 || (seq === keep.seq + 1 && one[0] !== CLOSINGS))
      changes.add('HDEL', hash, Buffer.from(one));
    else if (seq === keep.seq + 1) {
      const row = (await reader.fetch('HGET', hash, one)) as Buffer | null;
      if (row !== null) closings.push({ field: Buffer.from(one), row: Buffer.from(row) });
    }
  }
  // Of the closings directly behind the head, those up to its number of bundles stay.
  for (const { field, row } of closings) if (readInt(row, 64) >= keep.bundles) changes.add('HDEL', hash, field);
}

const CLOSINGS = 122;

async function dropClosings(changes: Changes, from: number, until: number, reader: LogReader): Promise<void> {
  const { lane } = changes;
  for (const one of nearClosings(from, until)) changes.add('HDEL', lane, one);
  for (const hash of closingKeys(lane, from, until)) {
    for (const one of (await reader.fetch('HKEYS', hash)) as Buffer[])
      if (one.readUInt32BE(1) >= from) changes.add('HDEL', hash, Buffer.from(one));
  }
}

/** All that there is of the log, also where its head no longer says what that is. */
async function clear(key: LogKey, reader: LogReader, row: HeadRow, changes: Changes): Promise<void> {
  const { lane } = changes;
  const names = row.lost ? await reader.scanKeys(key) : keysOf(lane, row.head);
  for (const name of names) if (name !== lane && name !== deletesKey(lane)) changes.add('UNLINK', name);
  for (const one of (await reader.fetch('HKEYS', lane)) as Buffer[])
    if (one[0] === 107 && one.length === 5) changes.add('HDEL', lane, Buffer.from(one));
}

function putBatches(
  key: LogKey,
  tail: NewTail,
  ordinalBefore: number,
  changes: Changes,
): { ordinal: number; bytes: number } {
  const { lane } = changes;
  const prefix = prefixOf(key);
  let head = tail.keep;
  let ordinal = ordinalBefore;
  let bytes = 0;
  let deletes = 0;
  for (const batch of tail.batches) {
    const skeleton = asBuffer(batch.skeleton);
    const place = entryPlace(batch);
    const hash = segmentKey(lane, place.segment);
    const row = encodeEntry(prefix, batch, head);
    if (batch.events === 0) changes.add('HSET', hash, closingsField(place.bytes, ordinal++), row);
    else {
      changes.add('HSET', hash, field('s', place.bytes), row);
      if (batch.content.length > 0) changes.add('HSET', hash, field('c', place.bytes), batch.content);
      ordinal = 0;
    }
    bytes += entryBytes(batch);
    eachRecord(
      skeleton,
      (at, length, kind) => {
        const record = skeleton.subarray(at, at + length);
        if (kind === RECORD_CLOSING) {
          const index = readInt(record, 8);
          const value = encodeClosing(record, numberKey(prefix, index));
          changes.add('HSET', closingKey(lane, index), closingField(index), value);
        } else if (kind === RECORD_EVENT && record[6] === DELETE && ((record[5] as number) & IC_TARGET) !== 0) {
          deletes++;
          changes.add('SADD', deletesKey(lane), record.subarray(304, 336));
        }
      },
      key,
    );
    head = foldHead(head, skeleton);
  }
  if (deletes > 0) changes.add('ZADD', ERASURES, String(Math.max(0, tail.timestamp)), prefix);
  return { ordinal, bytes };
}

/** Where a batch is stored: under its first event, or, without events, in the segment of the event before it. */
export function entryPlace(batch: Pick<Batch, 'firstSeq' | 'events'>): { segment: number; bytes: Buffer } {
  const segment = Math.floor((batch.events === 0 ? batch.firstSeq - 1 : batch.firstSeq) / SEGMENT);
  return { segment, bytes: placeBytes(batch.firstSeq - segment * SEGMENT) };
}

function field(letter: 's' | 'c', place: Buffer): Buffer {
  return Buffer.concat([Buffer.from(letter), place]);
}

function closingsField(place: Buffer, ordinal: number): Buffer {
  return Buffer.concat([Buffer.from('z'), place, placeBytes(ordinal)]);
}
