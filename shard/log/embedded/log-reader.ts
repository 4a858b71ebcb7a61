import { type Head, RECORD_CLOSING, RECORD_EVENT } from '../../../kernel/kernel.ts';
import { readInt, readKeyInt } from '../bytes.ts';
import { decodeClosing, nodeOfClosing } from '../closing-row.ts';
import type { Batch, LogKey } from '../enclave-log.ts';
import { offsetOfHead } from '../fold-head.ts';
import { sameHead } from '../head-bytes.ts';
import { LogDamaged } from '../log-errors.ts';
import { eachRecord } from '../records.ts';
import { keyOf, numberKey, prefixOf } from '../row-keys.ts';
import { decodeArchived } from './archive-row.ts';
import type { ContentReader } from './content-reader.ts';
import { decodeEntry, type Entry, entryBefore } from './entry-row.ts';
import { entriesForwards, type FoundRow, findEntryRow, linkedBackwards, viewEntryRow } from './find-entry.ts';
import { decodeHeadRow, type HeadRow } from './head-row.ts';
import { getRow, type Store } from './store.ts';

/** One is enough unless a further Delete of the same batch comes between. */
const REREADS = 3;

/** What is durable, read synchronously from the memory map; everything is checked, or throws LogDamaged. */
export class LogReader {
  readonly #store: Store;
  readonly #contents: ContentReader;

  constructor(store: Store, contents: ContentReader) {
    this.#store = store;
    this.#contents = contents;
  }

  head(key: LogKey): HeadRow | null {
    const prefix = prefixOf(key);
    const row = getRow(this.#store.heads, prefix);
    return row === undefined ? null : decodeHeadRow(row, prefix);
  }

  /** The batch that holds `seq`, null if there is none. */
  entry(key: LogKey, seq: number): Entry | null {
    return seq < 0 ? null : holding(seq, findEntryRow(this.#store.entries, prefixOf(key), seq));
  }

  /** The same over LMDB's own memory: valid until the next read of the store. */
  viewEntry(key: LogKey, seq: number): Entry | null {
    return seq < 0 ? null : holding(seq, viewEntryRow(this.#store.entries, prefixOf(key), seq));
  }

  /** As EnclaveLog.read. */
  batches(key: LogKey, from: number, maxBytes: number): Batch[] {
    return this.whileErasing(() => this.#batches(key, from, maxBytes));
  }

  /**
   * `read` again on what is durable by now, if it met damage: contents are overwritten while they are read, and a row
   * that was read before does not say so yet. The marks are durable before a byte is overwritten, so the row now does.
   */
  whileErasing<T>(read: () => T): T {
    for (let again = 0; ; again++) {
      try {
        return read();
      } catch (error) {
        if (!(error instanceof LogDamaged) || again === REREADS) throw error;
        this.#store.root.resetReadTxn();
      }
    }
  }

  #batches(key: LogKey, from: number, maxBytes: number): Batch[] {
    const head = this.head(key);
    if (head === null || from > head.head.seq + 1) return [];
    const prefix = prefixOf(key);
    const start = from <= head.head.seq ? this.#startOf(key, prefix, from) : from;
    const batches: Batch[] = [];
    let bytes = 0;
    let next = start;
    for (const row of entriesForwards(this.#store.entries, prefix, { seq: start, ordinal: 0 })) {
      const entry = decodeEntry(row.value, row.key);
      // Closings behind event from−1 were read with that event.
      if (batches.length === 0 && entry.events === 0) continue;
      if (entry.firstSeq !== next) throw new LogDamaged(key, next, 'order of the batches');
      if (entry.events > 0 && bytes >= maxBytes && batches.length > 0) return batches;
      const content = this.#contents.readAll(key, entry);
      batches.push({
        firstSeq: entry.firstSeq,
        events: entry.events,
        closings: entry.closings,
        skeleton: new Uint8Array(entry.skeleton),
        content: new Uint8Array(content),
      });
      bytes += entry.skeleton.length + content.length;
      next = entry.firstSeq + entry.events;
    }
    if (next !== head.head.seq + 1 && from <= head.head.seq) throw new LogDamaged(key, next, 'end of the log');
    return batches;
  }

  /** True if the log went through this head. */
  passed(key: LogKey, head: Head): boolean {
    if (head.seq < 0) return false;
    for (const { entry, before, after } of linkedBackwards(this.#store.entries, prefixOf(key), head.seq + 1)) {
      if (sameHead(after, head) || offsetOfHead(before, entry.skeleton, head) >= 0) return true;
      if (entry.firstSeq <= head.seq && entry.events > 0) return false;
    }
    return false;
  }

  closing(key: LogKey, index: number): Buffer | null {
    const rowKey = numberKey(prefixOf(key), index);
    const row = getRow(this.#store.closings, rowKey);
    return row === undefined ? null : decodeClosing(row, rowKey);
  }

  /** The bundle's index follows from the closings before the batch and those in it before the event. */
  closingOf(key: LogKey, seq: number): Buffer | null {
    const entry = this.entry(key, seq);
    if (entry === null) return null;
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
  node(key: LogKey, level: number, index: number): Buffer | null {
    const closing = this.closing(key, (index + 1) * 2 ** level - 1);
    return closing === null ? null : nodeOfClosing(key, closing, level);
  }

  due(until: number, limit: number): { key: LogKey; dueAt: number }[] {
    const found: { key: LogKey; dueAt: number }[] = [];
    for (const row of this.#store.due.getKeys({ limit })) {
      const dueAt = readKeyInt(row, 0);
      if (dueAt > until) break;
      found.push({ key: keyOf(row, 8), dueAt });
    }
    return found;
  }

  list(after: LogKey | null, limit: number): LogKey[] {
    const start = after === null ? Buffer.alloc(1) : Buffer.concat([prefixOf(after), Buffer.alloc(1)]);
    const keys: LogKey[] = [];
    for (const row of this.#store.heads.getKeys({ start, limit })) keys.push(keyOf(row, 0));
    return keys;
  }

  archived(key: LogKey): number {
    const prefix = prefixOf(key);
    return decodeArchived(getRow(this.#store.archive, prefix), prefix);
  }

  guardId(): Buffer | null {
    return getRow(this.#store.meta, Buffer.from('guard')) ?? null;
  }

  #startOf(key: LogKey, prefix: Buffer, seq: number): number {
    const entry = findEntryRow(this.#store.entries, prefix, seq);
    if (entry === undefined) throw new LogDamaged(key, seq, 'batch');
    return decodeEntry(entry.value, entry.key).firstSeq;
  }
}

function holding(seq: number, found: FoundRow | undefined): Entry | null {
  if (found === undefined) return null;
  const entry = decodeEntry(found.value, found.key);
  return seq < entry.firstSeq + entry.events ? entry : null;
}
