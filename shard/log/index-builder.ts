import type { LogKey } from './enclave-log.ts';
import { FIELD_HASH, FIELD_ID, FIELDS, IndexColumns, SEGMENT } from './index-columns.ts';
import { BLOCK, BLOCK_SEGMENTS, encodeIndexRow, indexKey, SEGMENT_PARTS, segmentPart } from './index-rows.ts';
import { type IndexStorage, type Row, type SearchStep, settled } from './index-storage.ts';
import { prefixOf } from './row-keys.ts';

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
  readonly #storage: IndexStorage;
  readonly #jobs: Job[] = [];
  #running: Generator<SearchStep, unknown> | null = null;
  /** a step is due, or the running job waits for the storage: nothing else may go on with it */
  #busy = false;
  #closed = false;

  constructor(storage: IndexStorage) {
    this.#storage = storage;
  }

  /** A segment is full; `columns` if they are at hand. */
  enqueue(key: LogKey, segment: number, columns: IndexColumns | null): void {
    if (this.#closed || this.#jobs.length >= WAITING) return;
    this.#jobs.push({ key: { enclave: new Uint8Array(key.enclave), lane: key.lane }, segment, columns });
    this.#schedule();
  }

  /** Reads the records that are missing before seq `until` into the columns. A step per millisecond. */
  *extend(key: LogKey, columns: IndexColumns, until: number): Generator<SearchStep, IndexColumns> {
    let slice = performance.now() + SLICE_MS;
    while (columns.next < until && columns.count < SEGMENT) {
      const seq = columns.next;
      const stored = this.#storage.skeleton(key, seq, true);
      const record = stored instanceof Promise ? yield* settled(stored) : stored;
      // While one waited, an append or another search may have added it.
      if (columns.next !== seq) continue;
      if (record === null) break;
      columns.add(record);
      if ((columns.count & 15) === 0 && performance.now() > slice) {
        yield null;
        slice = performance.now() + SLICE_MS;
      }
    }
    return columns;
  }

  /** Makes the rows of a full segment, and of its block if that is full, and has them written. */
  *build(key: LogKey, segment: number, ready: IndexColumns | null): Generator<SearchStep, IndexColumns> {
    const generation = (yield* settled(this.#storage.state(key)))?.generation ?? 0;
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
      yield null;
    }
    this.#storage.write(key, generation, (segment + 1) * SEGMENT - 1, put);
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
  ): Generator<SearchStep, void> {
    const parts: number[][] = Array.from({ length: 256 }, () => []);
    for (let i = 0; i < BLOCK_SEGMENTS; i++) {
      const segment = block * BLOCK_SEGMENTS + i;
      const values =
        segment === last.segment
          ? last.sorted(field)
          : ((yield* this.#stored(prefix, field, segment, generation)) ??
            (yield* this.extend(key, new IndexColumns(segment), (segment + 1) * SEGMENT)).sorted(field));
      for (const value of values) {
        const hash = Math.floor(value / SEGMENT);
        (parts[hash >>> 24] as number[]).push(hash * SEGMENT * BLOCK_SEGMENTS + i * SEGMENT + (value % SEGMENT));
      }
      yield null;
    }
    const put: Row[] = [];
    for (let part = 0; part < parts.length; part++) {
      const rowKey = indexKey(prefix, BLOCK + field, block, part);
      put.push({
        key: rowKey,
        value: encodeIndexRow(rowKey, generation, Float64Array.from(parts[part] as number[]).sort()),
      });
      if ((part & 15) === 15) yield null;
    }
    this.#storage.write(key, generation, (block + 1) * BLOCK_SEGMENTS * SEGMENT - 1, put);
  }

  *#stored(
    prefix: Buffer,
    field: number,
    segment: number,
    generation: number,
  ): Generator<SearchStep, Float64Array | null> {
    const values: number[] = [];
    for (let part = 0; part < SEGMENT_PARTS; part++) {
      const row = yield* settled(this.#storage.row(indexKey(prefix, field, segment, part), generation));
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
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => this.#step());
  }

  #step(): void {
    const waits = this.#closed ? null : this.#advance();
    if (waits === null) {
      this.#busy = false;
      if (this.#running !== null || this.#jobs.length > 0) this.#schedule();
      return;
    }
    const next = (): void => void setImmediate(() => this.#step());
    waits.then(next, () => {
      this.#running = null;
      next();
    });
  }

  /**
   * One step of the job at hand; what it then waits for, if anything. Damaged records or a store that does not answer end
   * it: whoever reads is told, and the index is only an aid.
   */
  #advance(): Promise<unknown> | null {
    if (this.#running === null) {
      const job = this.#jobs.shift();
      if (job === undefined) return null;
      this.#running = this.build(job.key, job.segment, job.columns);
    }
    try {
      const step = this.#running.next();
      if (step.done !== true) return step.value;
    } catch {}
    this.#running = null;
    return null;
  }
}
