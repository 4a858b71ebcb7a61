import type { Reply } from '../../redis/link.ts';
import type { RedisStore } from '../../redis/redis-store.ts';
import type { LogKey } from '../enclave-log.ts';
import { IndexRow } from '../index-rows.ts';
import type { IndexStorage, Maybe, Row } from '../index-storage.ts';
import { indexPlace, laneKey } from './keys.ts';
import type { LogReader } from './log-reader.ts';
import { INDEX } from './scripts.ts';

/** Bytes of index rows kept, over all enclaves; the least recently used goes first. */
const KEPT_BYTES = 16 * 1024 * 1024;

/** Index rows in hashes of their own, one per segment; those that were read are kept: they never change on one primary. */
export class RedisIndexStorage implements IndexStorage {
  readonly #store: RedisStore;
  readonly #reader: LogReader;
  /** by row key and generation; least recently used first */
  readonly #kept = new Map<string, { row: IndexRow; bytes: number }>();
  #bytes = 0;

  constructor(store: RedisStore, reader: LogReader) {
    this.#store = store;
    this.#reader = reader;
  }

  async state(key: LogKey): Promise<{ seq: number; generation: number } | null> {
    const row = await this.#reader.head(key);
    return row === null ? null : { seq: row.head.seq, generation: row.generation };
  }

  skeleton(key: LogKey, seq: number, stretch: boolean): Maybe<Buffer | null> {
    return this.#reader.cache.skeleton(key, seq) ?? this.#reader.skeleton(key, seq, stretch);
  }

  row(rowKey: Buffer, generation: number): Maybe<IndexRow | null> {
    const name = nameOf(rowKey, generation);
    const kept = this.#kept.get(name);
    if (kept === undefined) return this.#fetch([rowKey], generation).then((rows) => rows[0] ?? null);
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    return kept.row;
  }

  readonly ahead = (rowKeys: readonly Buffer[], generation: number): Promise<unknown> =>
    this.#fetch(
      rowKeys.filter((rowKey) => !this.#kept.has(nameOf(rowKey, generation))),
      generation,
    );

  /** An aid only: a row that is not there is built again by whoever looks for it. */
  write(key: LogKey, generation: number, lastSeq: number, rows: readonly Row[]): void {
    const first = rows[0];
    if (first === undefined) return;
    const { key: hash } = indexPlace(Buffer.from(first.key));
    const stamp = Buffer.alloc(4);
    stamp.writeUInt32LE(generation);
    const args = rows.flatMap((row) => [indexPlace(Buffer.from(row.key)).field, row.value]);
    this.#store.write(INDEX, [laneKey(key), hash], [stamp, String(lastSeq), ...args], () => {});
  }

  forget(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  async #fetch(rowKeys: readonly Buffer[], generation: number): Promise<(IndexRow | null)[]> {
    const hashes = new Map<string, { rowKeys: Buffer[]; fields: Buffer[] }>();
    for (const rowKey of rowKeys) {
      const { key, field } = indexPlace(rowKey);
      const group = hashes.get(key) ?? { rowKeys: [], fields: [] };
      hashes.set(key, group);
      group.rowKeys.push(rowKey);
      group.fields.push(field);
    }
    const groups = [...hashes];
    const replies = await Promise.all(groups.map(([hash, { fields }]) => this.#reader.fetch('HMGET', hash, ...fields)));
    const rows: (IndexRow | null)[] = [];
    for (const [i, [, group]] of groups.entries())
      for (const [n, rowKey] of group.rowKeys.entries())
        rows.push(this.#keep(rowKey, generation, (replies[i] as Reply[])[n] as Buffer | null));
    return rows;
  }

  #keep(rowKey: Buffer, generation: number, bytes: Buffer | null): IndexRow | null {
    if (bytes === null) return null;
    const own = Buffer.from(bytes);
    const row = IndexRow.of(own, rowKey, generation);
    if (row === null) return null;
    const name = nameOf(rowKey, generation);
    const before = this.#kept.get(name);
    if (before !== undefined) this.#bytes -= before.bytes;
    this.#kept.delete(name);
    this.#kept.set(name, { row, bytes: own.length + 200 });
    this.#bytes += own.length + 200;
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#bytes -= kept.bytes;
    }
    return row;
  }
}

function nameOf(rowKey: Buffer, generation: number): string {
  return `${rowKey.toString('latin1')}${generation}`;
}
