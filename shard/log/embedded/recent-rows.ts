import { decodeRows } from './journal-rows.ts';
import { APPENDED, type LmdbStore, type RowRange, type Rows, type Store, tablesOf } from './store.ts';

/** What a group has told of. */
interface Group {
  readonly group: number;
  readonly rows: readonly { readonly table: number; readonly name: string }[];
}

interface Recent {
  /** null: the row is gone */
  readonly value: Buffer | null;
  readonly group: number;
}

/**
 * The reader's view of the databases that appends write: LMDB's rows, and over them those that the writer has told of
 * as durable in the journal but not put into LMDB yet. `applied` is shared with the writer, which stores there the number
 * of the last group that is in LMDB (it wraps around): what is in LMDB is read there, because only there it may change.
 */
export class RecentRows {
  readonly store: Store;
  readonly #root: LmdbStore['root'];
  readonly #applied: Int32Array;
  readonly #tables: readonly MergedTable[];
  /** those that are not known to be in LMDB, oldest first */
  readonly #groups: Group[] = [];
  #seen: number;

  constructor(store: LmdbStore, applied: Int32Array) {
    this.#root = store.root;
    this.#applied = applied;
    this.#seen = Atomics.load(applied, 0);
    const settle = (): void => this.settle();
    const merged = tablesOf((name) => new MergedTable(store[name], settle));
    this.#tables = APPENDED.map((name) => merged[name]);
    this.store = { ...store, ...merged };
  }

  /** Rows of a durable group, as the journal has them. Kept as they are. */
  add(group: number, bytes: Buffer): void {
    this.settle();
    if (isIn(group, this.#seen)) return;
    const rows: { table: number; name: string }[] = [];
    for (const { table, key, value } of decodeRows(bytes)) {
      const name = key.toString('latin1');
      (this.#tables[table] as MergedTable).set(name, { value, group });
      rows.push({ table, name });
    }
    this.#groups.push({ group, rows });
  }

  /** Looks at LMDB as it is now. */
  refresh(): void {
    this.#root.resetReadTxn();
    this.settle();
  }

  /** The same, if the writer has put rows there. */
  settle(): void {
    const applied = Atomics.load(this.#applied, 0);
    if (applied === this.#seen) return;
    this.#seen = applied;
    this.#root.resetReadTxn();
    for (let oldest = this.#groups[0]; oldest && isIn(oldest.group, applied); oldest = this.#groups[0]) {
      this.#groups.shift();
      for (const { table, name } of oldest.rows) (this.#tables[table] as MergedTable).forget(name, oldest.group);
    }
  }
}

const isIn = (group: number, applied: number): boolean => ((applied - group) | 0) >= 0;

class MergedTable implements Rows {
  readonly #rows: Rows;
  readonly #settle: () => void;
  readonly #recent = new Map<string, Recent>();
  /** names in order, null while that is not known */
  #sorted: string[] | null = null;

  constructor(rows: Rows, settle: () => void) {
    this.#rows = rows;
    this.#settle = settle;
  }

  set(name: string, recent: Recent): void {
    if (!this.#recent.has(name)) this.#sorted = null;
    this.#recent.set(name, recent);
  }

  forget(name: string, group: number): void {
    if (this.#recent.get(name)?.group !== group) return;
    this.#recent.delete(name);
    this.#sorted = null;
  }

  getBinary(key: Buffer): Buffer | undefined {
    this.#settle();
    const recent = this.#recent.size === 0 ? undefined : this.#recent.get(key.toString('latin1'));
    return recent === undefined ? this.#rows.getBinary(key) : (recent.value ?? undefined);
  }

  getBinaryFast(key: Buffer): Buffer | undefined {
    this.#settle();
    const recent = this.#recent.size === 0 ? undefined : this.#recent.get(key.toString('latin1'));
    return recent === undefined ? this.#rows.getBinaryFast(key) : (recent.value ?? undefined);
  }

  getRange(range: RowRange): Iterable<{ key: Buffer; value: Buffer }> {
    this.#settle();
    const recent = this.#within(range);
    if (recent.length === 0) return this.#rows.getRange(range);
    const { limit, ...all } = range;
    return merged(
      this.#rows.getRange(all),
      recent,
      range,
      ({ key }) => key,
      (key, value) => ({ key, value }),
    );
  }

  getKeys(range: RowRange = {}): Iterable<Buffer> {
    this.#settle();
    const recent = this.#within(range);
    if (recent.length === 0) return this.#rows.getKeys(range);
    const { limit, ...all } = range;
    return merged(
      this.#rows.getKeys(all),
      recent,
      range,
      (key) => key,
      (key) => key,
    );
  }

  putSync(): never {
    throw new Error('Only the writer writes.');
  }

  removeSync(): never {
    throw new Error('Only the writer writes.');
  }

  /** Recent rows of the range, in its order. */
  #within({ start, end, inclusiveEnd = false, reverse = false }: RowRange): [string, Buffer | null][] {
    if (this.#recent.size === 0) return [];
    this.#sorted ??= [...this.#recent.keys()].sort(compare);
    const first = (reverse ? end : start)?.toString('latin1');
    const last = (reverse ? start : end)?.toString('latin1');
    // Of the two bounds `start` is in the range, `end` only if it says so.
    const firstIn = !reverse || inclusiveEnd;
    const lastIn = reverse || inclusiveEnd;
    const names = this.#sorted;
    const found: [string, Buffer | null][] = [];
    for (let i = first === undefined ? 0 : placeOf(names, first); i < names.length; i++) {
      const name = names[i] as string;
      if (name === first && !firstIn) continue;
      if (last !== undefined && (name > last || (name === last && !lastIn))) break;
      found.push([name, (this.#recent.get(name) as Recent).value]);
    }
    return reverse ? found.reverse() : found;
  }
}

/** Rows of LMDB and recent ones in one order; of two with one key the recent one counts. */
function* merged<T>(
  stored: Iterable<T>,
  recent: readonly [string, Buffer | null][],
  { reverse = false, limit = Number.POSITIVE_INFINITY }: RowRange,
  keyOf: (item: T) => Buffer,
  make: (key: Buffer, value: Buffer) => T,
): Generator<T> {
  let left = limit;
  let i = 0;
  if (left <= 0) return;
  for (const item of stored) {
    const name = keyOf(item).toString('latin1');
    for (; i < recent.length; i++) {
      const [next, value] = recent[i] as [string, Buffer | null];
      if (reverse ? next <= name : next >= name) break;
      if (value === null) continue;
      yield make(Buffer.from(next, 'latin1'), value);
      if (--left === 0) return;
    }
    if (recent[i]?.[0] === name) continue;
    yield item;
    if (--left === 0) return;
  }
  for (; i < recent.length && left > 0; i++) {
    const [next, value] = recent[i] as [string, Buffer | null];
    if (value === null) continue;
    yield make(Buffer.from(next, 'latin1'), value);
    left--;
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** How many of these sorted names are before `name`. */
function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  for (let high = names.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
