import { type Head, RECORD_CLOSING, RECORD_EVENT } from '../../../kernel/kernel.ts';
import type { Reply } from '../../redis/link.ts';
import { RedisUnknown } from '../../redis/redis-errors.ts';
import type { RedisStore } from '../../redis/redis-store.ts';
import { type Arg, callScript, type Script } from '../../redis/script.ts';
import type { ArchiveReader } from '../archive/archive-reader.ts';
import { asBuffer, readInt } from '../bytes.ts';
import { decodeClosing, nodeOfClosing } from '../closing-row.ts';
import type { Batch, LogKey, StoredEvent } from '../enclave-log.ts';
import { offsetOfHead } from '../fold-head.ts';
import { sameHead } from '../head-bytes.ts';
import { SEGMENT } from '../index-columns.ts';
import { LogDamaged, LogUnavailable } from '../log-errors.ts';
import { eachRecord } from '../records.ts';
import { numberKey, prefixOf } from '../row-keys.ts';
import { EntryCache } from './entry-cache.ts';
import { asBatch, batchUpTo, decodeEntry, type Entry, entryBefore } from './entry-row.ts';
import { decodeHeadRow, type HeadRow } from './head-row.ts';
import { closingField, closingKey, laneKey, segmentKey } from './keys.ts';
import { PICK, READ } from './scripts.ts';

/** Records are read in stretches of this many bytes when they will be wanted one after the other. */
const STRETCH_BYTES = 256 * 1024;
/** What one look for scattered events may bring. */
const PICK_BYTES = 1024 * 1024;

/** Closings are numbered in 32 bits. */
const MAX_INDEX = 0xffff_ffff;

interface Read {
  readonly row: HeadRow | null;
  readonly entries: Entry[];
}

/** What the primary has, durable or not: `open` makes it durable before it is relied on. Everything is checked, or throws LogDamaged. */
export class LogReader {
  readonly cache = new EntryCache();
  readonly #store: RedisStore;
  readonly #archive: ArchiveReader | null;
  readonly #onReplaced: (key: LogKey) => void;

  /** `onReplaced`: the tail of a log has been replaced, by somebody else perhaps. */
  constructor(store: RedisStore, archive: ArchiveReader | null, onReplaced: (key: LogKey) => void) {
    this.#store = store;
    this.#archive = archive;
    this.#onReplaced = onReplaced;
  }

  /** A read, as the interface's errors have it. */
  async fetch(...parts: Arg[]): Promise<Reply> {
    try {
      return await this.#store.fetch(...parts);
    } catch (error) {
      throw error instanceof RedisUnknown ? new LogUnavailable('unknown') : error;
    }
  }

  async head(key: LogKey): Promise<HeadRow | null> {
    return this.#row(key, (await this.fetch('HGET', laneKey(key), 'h')) as Buffer | null);
  }

  /** As EnclaveLog.read. */
  async batches(key: LogKey, from: number, maxBytes: number): Promise<Batch[]> {
    const batches: Batch[] = [];
    let bytes = 0;
    let next = -1;
    for (let at = from; ; at = next) {
      const { row, entries } = await this.#read(key, at, maxBytes - bytes, true);
      if (row === null || at > row.head.seq) return batches;
      if (at < row.trimmed) return this.#archived(key, row, from, maxBytes);
      for (const entry of entries) {
        if (next < 0) next = beginsAt(key, entry, from);
        if (entry.firstSeq !== next) throw new LogDamaged(key, next, 'order of the batches');
        next += entry.events;
        bytes += entry.row.length + entry.contentLength;
        batches.push(asBatch(entry));
      }
      if (entries.length === 0) throw new LogDamaged(key, at, 'batch');
      if (bytes >= maxBytes) return batches;
    }
  }

  /** The event record and content, null behind the head. */
  async record(key: LogKey, seq: number): Promise<StoredEvent | null> {
    await this.pick(key, [seq]);
    return this.cache.record(key, seq) ?? this.#trimmedRecord(key, seq);
  }

  /** The event record alone, null behind the head; those behind it are read with it. */
  async skeleton(key: LogKey, seq: number, stretch: boolean): Promise<Buffer | null> {
    const { row } = stretch ? await this.#read(key, seq, STRETCH_BYTES, false) : await this.pick(key, [seq], false);
    if (row === null || seq > row.head.seq) return null;
    const found = this.cache.skeleton(key, seq) ?? (await this.#trimmedRecord(key, seq))?.record ?? null;
    return found === null ? null : asBuffer(found);
  }

  /** Reads the batches that hold these events (in order of seq) into the cache, as far as they are not there. */
  async pick(key: LogKey, seqs: readonly number[], contents = true): Promise<Read> {
    const prefix = prefixOf(key);
    const lane = laneKey(key);
    const calls: Promise<Reply>[] = [];
    for (let i = 0; i < seqs.length; ) {
      const segment = Math.floor((seqs[i] as number) / SEGMENT);
      const args: Arg[] = [String(SEGMENT), String(PICK_BYTES), contents ? '1' : '0'];
      for (; i < seqs.length && Math.floor((seqs[i] as number) / SEGMENT) === segment; i++) args.push(String(seqs[i]));
      calls.push(this.#call(PICK, [lane, segmentKey(lane, segment), segmentKey(lane, Math.max(0, segment - 1))], args));
    }
    const read: { row: HeadRow | null; entries: Entry[] } = { row: null, entries: [] };
    for (const reply of await Promise.all(calls)) {
      const one = this.#decode(key, prefix, reply as Buffer[], contents);
      read.row = one.row;
      read.entries.push(...one.entries);
    }
    return read;
  }

  /** The batch that holds the event, contents included, and the closings without events behind it. */
  async entriesAt(key: LogKey, seq: number): Promise<Entry[]> {
    return (await this.#read(key, seq, 1, true)).entries;
  }

  /** All keys of the log that are there, found by looking at every key of the server: where nothing else says it. */
  async scanKeys(key: LogKey): Promise<string[]> {
    const lane = laneKey(key);
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, names] = (await this.fetch('SCAN', cursor, 'MATCH', `${lane}*`, 'COUNT', '1000')) as [
        Buffer,
        Buffer[],
      ];
      cursor = String(next);
      for (const name of names.map(String)) if (name === lane || name.startsWith(`${lane}:`)) found.add(name);
    } while (cursor !== '0');
    return [...found];
  }

  /** True if the log went through this head, as far as it still has the batches that say so. */
  async passed(key: LogKey, head: Head): Promise<boolean> {
    if (head.seq < 0) return false;
    const { row, entries } = await this.#read(key, head.seq, 1, false);
    for (const entry of entries) if (offsetOfHead(entryBefore(entry), entry.skeleton, head) >= 0) return true;
    if (row === null || head.seq >= row.head.seq) return row !== null && sameHead(row.head, head);
    if (head.seq >= row.trimmed) return false;
    const next = (await this.#read(key, head.seq + 1, 1, false)).entries[0];
    return next !== undefined && sameHead(entryBefore(next), head);
  }

  async closing(key: LogKey, index: number): Promise<Buffer | null> {
    if (index < 0 || index > MAX_INDEX) return null;
    const row = (await this.fetch('HGET', closingKey(laneKey(key), index), closingField(index))) as Buffer | null;
    return row === null ? null : decodeClosing(row, numberKey(prefixOf(key), index));
  }

  /** The bundle's index follows from the closings before the batch and those in it before the event. */
  async closingOf(key: LogKey, seq: number): Promise<Buffer | null> {
    const { row, entries } = await this.pick(key, [seq], false);
    if (row === null || seq > row.head.seq) return null;
    if (seq < row.trimmed) return this.#closingBySearch(key, seq, row.head.bundles);
    const entry = entries[0];
    if (entry === undefined) throw new LogDamaged(key, seq, 'batch');
    let index = entryBefore(entry).bundles;
    let passed = false;
    eachRecord(
      entry.skeleton,
      (at, _length, kind) => {
        if (kind === RECORD_CLOSING && !passed) index = readInt(entry.skeleton, at + 8) + 1;
        if (kind === RECORD_EVENT && readInt(entry.skeleton, at + 8) === seq) passed = true;
      },
      key,
    );
    return this.closing(key, index);
  }

  /** Node (level, index) is completed by leaf ((index+1) << level) − 1, whose closing holds it (kernel.ts). */
  async node(key: LogKey, level: number, index: number): Promise<Buffer | null> {
    const closing = await this.closing(key, (index + 1) * 2 ** level - 1);
    return closing === null ? null : nodeOfClosing(key, closing, level);
  }

  /** Of a bundle whose events have been trimmed: closings stay. */
  async #closingBySearch(key: LogKey, seq: number, bundles: number): Promise<Buffer | null> {
    let low = 0;
    for (let high = bundles; low < high; ) {
      const middle = Math.floor((low + high) / 2);
      const closing = await this.closing(key, middle);
      if (closing === null) throw new LogDamaged(key, seq, 'bundle closing');
      const first = readInt(closing, 16);
      if (seq >= first && seq < first + closing.readUInt32LE(24)) return closing;
      if (first > seq) high = middle;
      else low = middle + 1;
    }
    return null;
  }

  /** What has been trimmed, up to where the log itself goes on. */
  async #archived(key: LogKey, row: HeadRow, from: number, maxBytes: number): Promise<Batch[]> {
    const batches: Batch[] = [];
    let bytes = 0;
    for (let next = from; next < row.trimmed && bytes < maxBytes; ) {
      const closing = await this.#closingBySearch(key, next, row.head.bundles);
      if (this.#archive === null || closing === null) throw new LogDamaged(key, next, 'batch');
      for await (const batch of this.#archive.batches(key, closing, next)) {
        const kept = batchUpTo(key, batch, row.trimmed);
        if (kept.events === 0 && kept.closings === 0) break;
        batches.push(kept);
        bytes += kept.skeleton.length + kept.content.length;
        if (bytes >= maxBytes) break;
      }
      const last = batches.at(-1);
      if (last === undefined || last.firstSeq + last.events <= next) throw new LogDamaged(key, next, 'archived bundle');
      next = last.firstSeq + last.events;
    }
    return batches;
  }

  /** An event that is not in Redis any more; null if it is behind the head. */
  async #trimmedRecord(key: LogKey, seq: number): Promise<StoredEvent | null> {
    const row = await this.head(key);
    if (row === null || seq > row.head.seq || seq < 0) return null;
    const closing = seq < row.trimmed ? await this.#closingBySearch(key, seq, row.head.bundles) : null;
    if (closing === null || this.#archive === null) throw new LogDamaged(key, seq, 'batch');
    return this.#archive.record(key, closing, seq);
  }

  async #read(key: LogKey, seq: number, maxBytes: number, contents: boolean): Promise<Read> {
    const lane = laneKey(key);
    const segment = Math.floor(seq / SEGMENT);
    const keys = [
      lane,
      segmentKey(lane, segment),
      segmentKey(lane, Math.max(0, segment - 1)),
      segmentKey(lane, segment + 1),
    ];
    const args = [String(seq), String(SEGMENT), String(Math.max(1, maxBytes)), contents ? '1' : '0'];
    return this.#decode(key, prefixOf(key), (await this.#call(READ, keys, args)) as Buffer[], contents);
  }

  #call(script: Script, keys: readonly Arg[], args: readonly Arg[]): Promise<Reply> {
    return this.fetch(...callScript(script, keys, args));
  }

  /** Replies are copied: they are parts of larger buffers, which would stay as long as one of them does. */
  #decode(key: LogKey, prefix: Buffer, reply: readonly Buffer[], contents: boolean): Read {
    const row = this.#row(key, reply[0] ?? null);
    const entries: Entry[] = [];
    for (let i = 1; i + 1 < reply.length; i += 2) {
      const content = contents ? Buffer.from(reply[i + 1] as Buffer) : null;
      entries.push(decodeEntry(prefix, Buffer.from(reply[i] as Buffer), content));
    }
    if (row !== null) this.cache.add(key, row, entries);
    return { row, entries };
  }

  #row(key: LogKey, bytes: Buffer | null): HeadRow | null {
    if (bytes === null) return null;
    const row = decodeHeadRow(Buffer.from(bytes), prefixOf(key));
    if (this.cache.check(key, row)) this.#onReplaced(key);
    return row;
  }
}

/** Where the batch that holds event `seq` begins. Throws LogDamaged if this is another one: that one is not there. */
function beginsAt(key: LogKey, entry: Entry, seq: number): number {
  if (seq < entry.firstSeq || seq >= entry.firstSeq + entry.events) throw new LogDamaged(key, seq, 'batch');
  return entry.firstSeq;
}
