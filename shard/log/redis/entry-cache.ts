import { BatchCache } from '../batch-cache.ts';
import type { LogKey, StoredEvent } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';
import { nameOf } from '../row-keys.ts';
import { type Entry, eventPlaces } from './entry-row.ts';
import type { HeadRow } from './head-row.ts';

/** Bytes of batches kept, over all enclaves; the least recently used goes first. */
const KEPT_BYTES = 32 * 1024 * 1024;

interface Decoded {
  readonly firstSeq: number;
  readonly events: number;
  readonly size: number;
  readonly entry: Entry;
  readonly at: Uint32Array;
  readonly contentAt: Uint32Array;
}

/** Batches that were read, so that a search need not wait for each event. */
export class EntryCache {
  readonly #kept = new BatchCache<Decoded>(KEPT_BYTES);
  /** generation and erasures under which the batches of a log were read */
  readonly #stamps = new Map<string, string>();

  /** Forgets what was read of the log before its batches changed. True if its tail has been replaced. */
  check(key: LogKey, row: HeadRow): boolean {
    const name = nameOf(key);
    const stamp = `${row.generation} ${row.erasures}`;
    const before = this.#stamps.get(name);
    if (before === stamp) return false;
    this.#kept.release(name);
    this.#stamps.set(name, stamp);
    if (this.#stamps.size > STAMPS)
      for (const oldest of this.#stamps.keys()) {
        this.#stamps.delete(oldest);
        this.#kept.release(oldest);
        break;
      }
    return before !== undefined && before.split(' ')[0] !== String(row.generation);
  }

  /** Keeps entries that were read together with `row`. */
  add(key: LogKey, row: HeadRow, entries: readonly Entry[]): void {
    const name = nameOf(key);
    if (this.#stamps.get(name) !== `${row.generation} ${row.erasures}`) return;
    for (const entry of entries) {
      if (entry.events === 0) continue;
      const known = this.#kept.find(name, entry.firstSeq);
      if (known !== null && known.entry.content !== null && entry.content === null) continue;
      const { at, content } = eventPlaces(key, entry);
      const size = entry.row.length + (entry.content?.length ?? 0) + 8 * entry.events + 600;
      const { firstSeq, events } = entry;
      this.#kept.add(name, { firstSeq, events, size, entry, at, contentAt: content });
    }
  }

  /** Event record and content; undefined if it has not been read. */
  record(key: LogKey, seq: number): StoredEvent | undefined {
    const decoded = this.#kept.find(nameOf(key), seq);
    if (decoded === null) return undefined;
    const record = recordOf(key, decoded, seq);
    const length = record.readUInt32LE(44);
    if (length === 0) return { record, content: EMPTY };
    if (decoded.entry.content === null) return undefined;
    const start = decoded.contentAt[seq - decoded.firstSeq] as number;
    return { record, content: decoded.entry.content.subarray(start, start + length) };
  }

  /** The record alone; undefined if it has not been read. */
  skeleton(key: LogKey, seq: number): Buffer | undefined {
    const decoded = this.#kept.find(nameOf(key), seq);
    return decoded === null ? undefined : recordOf(key, decoded, seq);
  }

  release(key: LogKey): void {
    const name = nameOf(key);
    this.#kept.release(name);
    this.#stamps.delete(name);
  }

  forget(): void {
    this.#kept.clear();
    this.#stamps.clear();
  }
}

/** Logs whose stamp is remembered at most. */
const STAMPS = 16_384;
const EMPTY = Buffer.alloc(0);

function recordOf(key: LogKey, decoded: Decoded, seq: number): Buffer {
  const at = decoded.at[seq - decoded.firstSeq];
  if (at === undefined) throw new LogDamaged(key, decoded.firstSeq, 'batch');
  const { skeleton } = decoded.entry;
  return skeleton.subarray(at, at + skeleton.readUInt32LE(at));
}
