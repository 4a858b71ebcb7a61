import { type Database, open, type RootDatabase } from 'lmdb';

export type Rows = Database<Buffer, Buffer>;

/** The LMDB environment of the log and its databases (keys: row-keys.ts). */
export interface Store {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly meta: Rows;
  readonly heads: Rows;
  readonly entries: Rows;
  readonly closings: Rows;
  readonly checkpoints: Rows;
  readonly due: Rows;
  readonly index: Rows;
  readonly erasures: Rows;
}

/**
 * Opens the environment in `folder`, which is then shared with every other thread of the process that opens it.
 * overlappingSync is off: with it a commit resolves before it is on disk. noMemInit stays off, so that no foreign
 * memory reaches the file.
 */
export function openStore(folder: string): Store {
  const root = open<Buffer, Buffer>({
    path: folder,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    maxDbs: 12,
    maxReaders: 256,
    noSubdir: false,
  });
  const db = (name: string): Rows => root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
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
  };
}

/** A row, in memory of its own, or undefined. */
export function getRow(rows: Rows, key: Buffer): Buffer | undefined {
  return rows.getBinary(key);
}
