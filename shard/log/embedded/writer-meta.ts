import { readInt, writeInt } from '../bytes.ts';
import { OWNER } from './folder-owner.ts';
import { getRow, type LmdbStore } from './store.ts';

const FILE = Buffer.from('file');
const END = Buffer.from('end/');
const JOURNAL = Buffer.from('journal');

/** What the writer keeps in database `meta`: who owns the folder, which content files there are, and where the journal is. */
export class WriterMeta {
  readonly #meta: LmdbStore['meta'];

  constructor(store: LmdbStore) {
    this.#meta = store.meta;
  }

  putOwner(owner: Buffer): void {
    this.#meta.putSync(OWNER, owner);
  }

  isOwner(owner: Buffer): boolean {
    return getRow(this.#meta, OWNER)?.equals(owner) === true;
  }

  /** Number of the newest content file, 0 if there is none. */
  get file(): number {
    return getRow(this.#meta, FILE)?.readUInt32LE(0) ?? 0;
  }

  putFile(file: number): void {
    this.#meta.putSync(FILE, uint32(file));
  }

  /** Content file and nonce of the frames of the current run (shard/journal/frame.ts); null before the first. */
  get journal(): { readonly file: number; readonly nonce: Buffer } | null {
    const row = getRow(this.#meta, JOURNAL);
    return row === undefined ? null : { file: row.readUInt32LE(0), nonce: row.subarray(4) };
  }

  putJournal(file: number, nonce: Buffer): void {
    this.#meta.putSync(JOURNAL, Buffer.concat([uint32(file), nonce]));
  }

  /** Up to where each content file is referred to; behind it lie frames that LMDB lacks, or nothing. */
  ends(): Map<number, number> {
    const ends = new Map<number, number>();
    for (const { key, value } of this.#meta.getRange({ start: endKey(0), end: endKey(0xffff_ffff) }))
      ends.set(key.readUInt32BE(END.length), readInt(value, 0));
    return ends;
  }

  putEnd(file: number, end: number): void {
    const value = Buffer.alloc(8);
    writeInt(value, end, 0);
    this.#meta.putSync(endKey(file), value);
  }
}

function endKey(file: number): Buffer {
  const key = Buffer.alloc(END.length + 4);
  END.copy(key);
  key.writeUInt32BE(file, END.length);
  return key;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
