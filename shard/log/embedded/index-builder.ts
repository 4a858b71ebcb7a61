import type { LogKey } from '../enclave-log.ts';
import { FIELD_HASH, FIELD_ID, FIELDS, IndexColumns, SEGMENT } from './index-columns.ts';
import { BLOCK, BLOCK_SEGMENTS, encodeIndexRow, IndexRow, indexKey, SEGMENT_PARTS, segmentPart } from './index-rows.ts';
import type { LogReader } from './log-reader.ts';
import type { RecordCache } from './record-cache.ts';
import { prefixOf } from './row-keys.ts';
import type { Store } from './store.ts';
import type { WriteQueue } from './write-queue.ts';
import type { Row } from './writer-messages.ts';

/** Longest stretch of work between two looks at the event loop, ms. */
export const SLICE_MS = 1;
/** Enclaves waiting for a segment at most; what is left out is built when somebody looks for it. */
const WAITING = 4096;

interface Job {
  readonly key: LogKey;
  readonly segment: number;
  readonly columns: IndexColumns | null;
}

/** Makes index segments, in the background or for a reader that can't wait, and hands them to the writer. */
export class IndexBuilder {
  readonly #store: Store;
  readonly #reader: LogReader;
  readonly #records: RecordCache;
  readonly #queue: WriteQueue;
  readonly #jobs: Job[] = [];
  #running: Generator<void> | null = null;
  #scheduled = false;
  #closed = false;

  constructor(store: Store, reader: LogReader, records: RecordCache, queue: WriteQueue) {
    this.#store = store;
    this.#reader = reader;
    this.#records = records;
    this.#queue = queue;
  }

  /** A segment is full; `columns` if they are at hand. */
  enqueue(key: LogKey, segment: number, columns: IndexColumns | null): void {
    if (this.#closed || this.#jobs.length >= WAITING) return;
    this.#jobs.push({ key: { enclave: new Uint8Array(key.enclave), lane: key.lane }, segment, columns });
    this.#schedule();
  }

  /** Reads the records that are missing before seq `until` into the columns. A step per millisecond. */
  *extend(key: LogKey, columns: IndexColumns, until: number): Generator<void, IndexColumns> {
    let slice = performance.now() + SLICE_MS;
    while (columns.next < until && columns.count < SEGMENT) {
      const record = this.#records.skeleton(key, columns.next);
      if (record === null) break;
      columns.add(record);
      if ((columns.count & 15) === 0 && performance.now() > slice) {
        yield;
        slice = performance.now() + SLICE_MS;
      }
    }
    return columns;
  }

  /** Makes the rows of a full segment, and of its block if that is full, and has them written. */
  *build(key: LogKey, segment: number, ready: IndexColumns | null): Generator<void, IndexColumns> {
    const generation = this.#reader.head(key)?.generation ?? 0;
    const columns = ready ?? (yield* this.extend(key, new IndexColumns(segment), (segment + 1) * SEGMENT));
    if (columns.count < SEGMENT) return columns;
    const prefix = prefixOf(key);
    const put: Row[] = [];
    for (let field = 0; field < FIELDS; field++) {
      const values = columns.sorted(field);
      for (let part = 0, start = 0; part < SEGMENT_PARTS; part++) {
        let end = start;
        while (end < values.length && segmentPart(Math.floor((values[end] as number) / SEGMENT)) === part) end++;
        const rowKey = indexKey(prefix, field, segment, part);
        put.push({ key: rowKey, value: encodeIndexRow(rowKey, generation, values.subarray(start, end)) });
        start = end;
      }
      yield;
    }
    void this.#queue.submit({ kind: 'index', prefix, generation, lastSeq: (segment + 1) * SEGMENT - 1, put });
    if ((segment + 1) % BLOCK_SEGMENTS === 0) {
      for (const field of [FIELD_ID, FIELD_HASH])
        yield* this.#block(key, prefix, field, (segment + 1) / BLOCK_SEGMENTS - 1, generation, columns);
    }
    return columns;
  }

  /** One table over 16 segments, split by first byte: a lookup then reads 2 KiB instead of 16 × 32. */
  *#block(
    key: LogKey,
    prefix: Buffer,
    field: number,
    block: number,
    generation: number,
    last: IndexColumns,
  ): Generator<void> {
    const parts: number[][] = Array.from({ length: 256 }, () => []);
    for (let i = 0; i < BLOCK_SEGMENTS; i++) {
      const segment = block * BLOCK_SEGMENTS + i;
      const values =
        segment === last.segment
          ? last.sorted(field)
          : (this.#stored(prefix, field, segment, generation) ??
            (yield* this.extend(key, new IndexColumns(segment), (segment + 1) * SEGMENT)).sorted(field));
      for (const value of values) {
        const hash = Math.floor(value / SEGMENT);
        (parts[hash >>> 24] as number[]).push(hash * SEGMENT * BLOCK_SEGMENTS + i * SEGMENT + (value % SEGMENT));
      }
      yield;
    }
    const put: Row[] = [];
    for (let part = 0; part < parts.length; part++) {
      const rowKey = indexKey(prefix, BLOCK + field, block, part);
      put.push({
        key: rowKey,
        value: encodeIndexRow(rowKey, generation, Float64Array.from(parts[part] as number[]).sort()),
      });
      if ((part & 15) === 15) yield;
    }
    void this.#queue.submit({
      kind: 'index',
      prefix,
      generation,
      lastSeq: (block + 1) * BLOCK_SEGMENTS * SEGMENT - 1,
      put,
    });
  }

  #stored(prefix: Buffer, field: number, segment: number, generation: number): Float64Array | null {
    const values: number[] = [];
    for (let part = 0; part < SEGMENT_PARTS; part++) {
      const row = IndexRow.read(this.#store.index, indexKey(prefix, field, segment, part), generation);
      if (row === null) return null;
      for (let at = 0; at < row.count; at++) values.push(row.value(at));
    }
    return Float64Array.from(values);
  }

  close(): void {
    this.#closed = true;
    this.#jobs.length = 0;
    this.#running = null;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#step();
    });
  }

  #step(): void {
    if (this.#closed) return;
    if (this.#running === null) {
      const job = this.#jobs.shift();
      if (job === undefined) return;
      this.#running = this.build(job.key, job.segment, job.columns);
    }
    try {
      if (this.#running.next().done === true) this.#running = null;
    } catch {
      // Damaged records: whoever reads them is told. The index is only an aid.
      this.#running = null;
    }
    this.#schedule();
  }
}
