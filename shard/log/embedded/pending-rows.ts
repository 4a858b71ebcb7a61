import { encodeRows, type JournalRow } from './journal-rows.ts';
import { APPENDED, type Appended, type LmdbStore, type PointRows, tablesOf } from './store.ts';

type Known = Map<string, Buffer | null>;

/**
 * The writer's view of the databases that appends write: LMDB's rows, over them those that are durable in the journal and
 * not in LMDB yet, and over those the ones of the group that is being put together.
 */
export class PendingRows {
  readonly tables: Readonly<Record<Appended, PointRows>>;
  readonly #tables: readonly PendingTable[];
  #bytes = 0;
  #groups = 0;

  constructor(store: LmdbStore) {
    const tables = tablesOf((name) => new PendingTable(store[name]));
    this.tables = tables;
    this.#tables = APPENDED.map((name) => tables[name]);
  }

  /** bytes of the rows that LMDB lacks */
  get bytes(): number {
    return this.#bytes;
  }

  /** groups whose rows LMDB lacks */
  get groups(): number {
    return this.#groups;
  }

  /** The rows of the group, encoded. */
  encode(): Buffer<ArrayBuffer> {
    const rows: JournalRow[] = [];
    this.#tables.forEach((table, i) => {
      for (const [name, value] of table.group) rows.push({ table: i, key: Buffer.from(name, 'latin1'), value });
    });
    return encodeRows(rows);
  }

  /** The group is durable: its rows count from now on. `bytes`: encoded. */
  keep(bytes: number): void {
    for (const table of this.#tables) {
      for (const [name, value] of table.group) table.kept.set(name, value);
      table.group.clear();
    }
    this.#bytes += bytes;
    this.#groups++;
  }

  /** The group never was. */
  drop(): void {
    for (const table of this.#tables) table.group.clear();
  }

  /** Puts all durable rows into LMDB: inside a transaction. `forget` them once it is committed. */
  apply(store: LmdbStore): void {
    this.#tables.forEach((table, i) => {
      const rows = store[APPENDED[i] as Appended];
      for (const [name, value] of table.kept) {
        const key = Buffer.from(name, 'latin1');
        if (value === null) rows.removeSync(key);
        else rows.putSync(key, value);
      }
    });
  }

  forget(): void {
    for (const table of this.#tables) table.kept.clear();
    this.#bytes = 0;
    this.#groups = 0;
  }
}

class PendingTable implements PointRows {
  readonly kept: Known = new Map();
  readonly group: Known = new Map();
  readonly #rows: PointRows;

  constructor(rows: PointRows) {
    this.#rows = rows;
  }

  getBinary(key: Buffer): Buffer | undefined {
    const name = key.toString('latin1');
    const row = this.group.get(name) ?? (this.group.has(name) ? null : this.kept.get(name));
    return row === undefined ? this.#rows.getBinary(key) : (row ?? undefined);
  }

  putSync(key: Buffer, value: Buffer): void {
    this.group.set(key.toString('latin1'), Buffer.from(value));
  }

  removeSync(key: Buffer): void {
    this.group.set(key.toString('latin1'), null);
  }
}
