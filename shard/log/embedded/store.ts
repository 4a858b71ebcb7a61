import { type Database, open, type RootDatabase } from 'lmdb';

type LmdbRows = Database<Buffer, Buffer>;

/** Rows by key: what an append needs. */
export interface PointRows {
  getBinary(key: Buffer): Buffer | undefined;
  putSync(key: Buffer, value: Buffer): void;
  removeSync(key: Buffer): void;
}

export interface RowRange {
  readonly start?: Buffer;
  readonly end?: Buffer;
  readonly inclusiveEnd?: boolean;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** Rows in the order of their keys' bytes. */
export interface Rows extends PointRows {
  /** As getBinary, over memory that the next read of the store may use again; its `length` is its own (`viewRow`). */
  getBinaryFast(key: Buffer): Buffer | undefined;
  getRange(range: RowRange): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  getKeys(range?: RowRange): Iterable<Buffer>;
}

/** The databases that appends write: of their rows the newest may still be on the way into LMDB (journal-rows.ts). */
export const APPENDED = ['heads', 'entries', 'closings', 'due'] as const;
export type Appended = (typeof APPENDED)[number];

export const tablesOf = <T>(make: (name: Appended) => T): Record<Appended, T> => ({
  heads: make('heads'),
  entries: make('entries'),
  closings: make('closings'),
  due: make('due'),
});

/** The databases of the log (keys: row-keys.ts, entry-keys.ts). */
export interface Store extends Readonly<Record<Appended, Rows>> {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly meta: LmdbRows;
  readonly checkpoints: LmdbRows;
  readonly index: LmdbRows;
  readonly erasures: LmdbRows;
  readonly archive: LmdbRows;
}

/** The LMDB environment itself. */
export type LmdbStore = Store & Readonly<Record<Appended, LmdbRows>>;

/**
 * Opens the environment in `folder`, which is then shared with every other thread of the process that opens it.
 * overlappingSync is off: with it a commit resolves before it is on disk. noMemInit stays off, so that no foreign
 * memory reaches the file.
 */
export function openStore(folder: string): LmdbStore {
  const root = open<Buffer, Buffer>({
    path: folder,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    maxDbs: 12,
    maxReaders: 256,
    noSubdir: false,
  });
  const db = (name: string): LmdbRows =>
    root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
  return {
    root,
    meta: db('meta'),
    heads: db('heads'),
    entries: db('entries'),
    closings: db('closings'),
    checkpoints: db('checkpoints'),
    due: db('due'),
    index: db('index'),
    erasures: db('erasures'),
    archive: db('archive'),
  };
}

/** A row over LMDB's own memory, valid until the next read of the store, or undefined. */
export function viewRow(rows: Pick<Rows, 'getBinaryFast'>, key: Buffer): Buffer | undefined {
  const fast = rows.getBinaryFast(key);
  return fast?.subarray(0, fast.length);
}

/** A row, in memory of its own, or undefined. */
export function getRow(rows: PointRows, key: Buffer): Buffer | undefined {
  return rows.getBinary(key);
}
