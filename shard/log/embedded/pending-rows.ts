import { asBuffer } from '../bytes.ts';
import { decodeRows, encodedLength, encodeRows, type JournalRow } from './journal-rows.ts';
import { RowArena, type RowSpan } from './row-arena.ts';
import { APPENDED, type Appended, type LmdbStore, type PointRows, tablesOf } from './store.ts';

type Known = Map<string, Buffer | null>;

/**
 * The writer's view of the databases that appends write: LMDB's rows, over them those that are durable in the journal and
 * not in LMDB yet, and over those the ones of the group that is being put together. Of the durable ones the older may have
 * been handed over to the thread that puts them into LMDB.
 */
export class PendingRows {
  readonly tables: Readonly<Record<Appended, PointRows>>;
  readonly #tables: readonly PendingTable[];
  readonly #arena = new RowArena();
  #handed: { readonly spans: readonly RowSpan[]; readonly bytes: number; readonly groups: number } | null = null;
  /** length of the group's rows in the arena, once they are encoded */
  #encoded = 0;
  #bytes = 0;
  #groups = 0;

  constructor(store: LmdbStore) {
    const tables = tablesOf((name) => new PendingTable(store[name]));
    this.tables = tables;
    this.#tables = APPENDED.map((name) => tables[name]);
  }

  /** bytes of the rows that LMDB lacks and nobody puts there */
  get bytes(): number {
    return this.#bytes;
  }

  /** groups whose rows LMDB lacks and nobody puts there */
  get groups(): number {
    return this.#groups;
  }

  /** The rows of the group, encoded. */
  encode(): Buffer {
    const rows: JournalRow[] = [];
    this.#tables.forEach((table, i) => {
      for (const [name, value] of table.group) rows.push({ table: i, key: Buffer.from(name, 'latin1'), value });
    });
    this.#encoded = encodedLength(rows);
    const bytes = this.#arena.add(this.#encoded);
    encodeRows(rows, bytes);
    return bytes;
  }

  /** The group is durable: its rows count from now on. `rows`: as `encode` gave them. */
  keep(rows: Buffer): void {
    for (const table of this.#tables) table.group.clear();
    for (const { table, key, value } of decodeRows(rows))
      (this.#tables[table] as PendingTable).kept.set(key.toString('latin1'), value);
    this.#encoded = 0;
    this.#bytes += rows.length;
    this.#groups++;
  }

  /** The group never was. */
  drop(): void {
    for (const table of this.#tables) table.group.clear();
    this.#arena.undo(this.#encoded);
    this.#encoded = 0;
  }

  /** All rows so far, for somebody else to put into LMDB. One hand-over at a time: `settle` or `takeBack` ends it. */
  handOver(): readonly RowSpan[] {
    for (const table of this.#tables) table.handOver();
    const spans = this.#arena.take();
    this.#handed = { spans, bytes: this.#bytes, groups: this.#groups };
    this.#bytes = 0;
    this.#groups = 0;
    return spans;
  }

  /** What was handed over is in LMDB. */
  settle(): void {
    for (const table of this.#tables) table.handed.clear();
    if (this.#handed) this.#arena.release(this.#handed.spans);
    this.#handed = null;
  }

  /** What was handed over is perhaps not in LMDB: it waits with the others again. */
  takeBack(): void {
    if (this.#handed === null) return;
    for (const table of this.#tables) table.takeBack();
    this.#arena.putBack(this.#handed.spans);
    this.#bytes += this.#handed.bytes;
    this.#groups += this.#handed.groups;
    this.#handed = null;
  }

  /** Puts all durable rows into LMDB, those that were handed over too: inside a transaction. `forget` them once it is committed. */
  apply(store: LmdbStore): void {
    this.#tables.forEach((table, i) => {
      const rows = store[APPENDED[i] as Appended];
      for (const known of [table.handed, table.kept]) for (const [name, value] of known) putRow(rows, name, value);
    });
  }

  forget(): void {
    for (const table of this.#tables) table.kept.clear();
    this.#arena.release(this.#arena.take());
    this.settle();
    this.#bytes = 0;
    this.#groups = 0;
  }
}

/** Puts rows that were handed over into LMDB, of each only the newest: inside a transaction. */
export function putHanded(store: LmdbStore, spans: readonly RowSpan[]): void {
  const newest = APPENDED.map((): Known => new Map());
  for (const { memory, from, to } of spans) {
    const bytes = asBuffer(new Uint8Array(memory, from, to - from));
    for (const { table, key, value } of decodeRows(bytes)) (newest[table] as Known).set(key.toString('latin1'), value);
  }
  newest.forEach((known, i) => {
    for (const [name, value] of known) putRow(store[APPENDED[i] as Appended], name, value);
  });
}

function putRow(rows: PointRows, name: string, value: Buffer | null): void {
  const key = Buffer.from(name, 'latin1');
  if (value === null) rows.removeSync(key);
  else rows.putSync(key, value);
}

class PendingTable implements PointRows {
  handed: Known = new Map();
  kept: Known = new Map();
  readonly group: Known = new Map();
  readonly #rows: PointRows;

  constructor(rows: PointRows) {
    this.#rows = rows;
  }

  getBinary(key: Buffer): Buffer | undefined {
    const name = key.toString('latin1');
    for (const known of [this.group, this.kept, this.handed]) {
      const row = known.get(name);
      if (row !== undefined) return row ?? undefined;
    }
    return this.#rows.getBinary(key);
  }

  putSync(key: Buffer, value: Buffer): void {
    this.group.set(key.toString('latin1'), Buffer.from(value));
  }

  removeSync(key: Buffer): void {
    this.group.set(key.toString('latin1'), null);
  }

  handOver(): void {
    this.handed = this.kept;
    this.kept = new Map();
  }

  takeBack(): void {
    for (const [name, value] of this.kept) this.handed.set(name, value);
    this.kept = this.handed;
    this.handed = new Map();
  }
}
