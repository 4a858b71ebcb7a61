import { crc32 } from 'node:zlib';
import { type Database, open, type RootDatabase } from 'lmdb';
import { FORMAT_VERSION, type Head } from '../../kernel/kernel.ts';
import { HEAD_BYTES, readHead } from '../log/head-bytes.ts';
import { GuardDamaged } from './guard-errors.ts';

/**
 * The guard's LMDB environment. `watermarks`, key enclave32 be32 lane: u16 format, u16 zero, u32 crc32 of key and head,
 * the head (80 bytes). `meta`: `format` u16, `id` 16 random bytes and their crc32, and
 * what guard-writer.ts keeps.
 */
export interface GuardStore {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly meta: Database<Buffer, Buffer>;
  readonly watermarks: Database<Buffer, Buffer>;
}

export const WATERMARK_KEY = 36;
export const WATERMARK_ROW = 8 + HEAD_BYTES;

/** Of the folder as a whole. 2: the newest watermarks are in the journal (guard-writer.ts), where a version that knows only
 *  1 would not look for them. */
const GUARD_FORMAT = 2;

export function openGuardStore(folder: string): GuardStore {
  const root = open<Buffer, Buffer>({
    path: folder,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    noSubdir: false,
  });
  return {
    root,
    meta: root.openDB<Buffer, Buffer>({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' }),
    watermarks: root.openDB<Buffer, Buffer>({ name: 'watermarks', encoding: 'binary', keyEncoding: 'binary' }),
  };
}

export function encodeWatermark(key: Uint8Array, head: Buffer): Buffer {
  const row = Buffer.alloc(WATERMARK_ROW);
  row.writeUInt16LE(FORMAT_VERSION, 0);
  row.writeUInt32LE(crc32(head, crc32(key)), 4);
  row.set(head, 8);
  return row;
}

/** The 80 bytes of the head; throws GuardDamaged. */
export function checkWatermark(key: Uint8Array, row: Buffer): Buffer {
  if (row.length !== WATERMARK_ROW || crc32(row.subarray(8), crc32(key)) !== row.readUInt32LE(4)) {
    throw new GuardDamaged(
      `The watermark of enclave ${Buffer.from(key.subarray(0, 32)).toString('hex')} is damaged: restore the guard, or adopt another.`,
    );
  }
  if (row.readUInt16LE(0) > FORMAT_VERSION)
    throw new GuardDamaged('This watermark was written by a newer version of the node: start that version.');
  return row.subarray(8);
}

export function decodeWatermark(key: Uint8Array, row: Buffer): Head {
  return readHead(checkWatermark(key, row), 0);
}

const FORMAT = Buffer.from('format');
const ID = Buffer.from('id');

/** In a write transaction: stamps a new folder with `fresh` as its id, or checks an old one. Throws GuardDamaged. */
export function claimGuard(store: GuardStore, fresh: Buffer): void {
  const version = store.meta.getBinary(FORMAT);
  if (version === undefined) {
    for (const _ of store.watermarks.getKeys({ limit: 1 }))
      throw new GuardDamaged('The guard folder has watermarks but no format row: restore it.');
    store.meta.putSync(FORMAT, Buffer.from([GUARD_FORMAT, 0]));
    const row = Buffer.alloc(20);
    row.set(fresh, 0);
    row.writeUInt32LE(crc32(fresh), 16);
    store.meta.putSync(ID, row);
    return;
  }
  if (version.length !== 2) throw new GuardDamaged('The guard folder has a damaged format row: restore it.');
  if (version.readUInt16LE(0) > GUARD_FORMAT) {
    throw new GuardDamaged(
      `The guard folder has format ${version.readUInt16LE(0)}, this version of the node reads up to ${GUARD_FORMAT}: start the newer version.`,
    );
  }
  store.meta.putSync(FORMAT, Buffer.from([GUARD_FORMAT, 0]));
}

/** The store's id; throws GuardDamaged. */
export function guardId(store: GuardStore): Uint8Array {
  const row = store.meta.getBinary(ID);
  if (row === undefined || row.length !== 20 || crc32(row.subarray(0, 16)) !== row.readUInt32LE(16))
    throw new GuardDamaged('The guard folder has a damaged id: restore it, or adopt another.');
  return new Uint8Array(row.subarray(0, 16));
}
