import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Offsets in a meta page of LMDB's data format 2 (64 bit, little-endian): page header of 24 bytes, then MDB_meta. */
const FLAGS = 18;
const MAGIC = 24;
const VERSION = 28;
const PAGE_SIZE = 48;
const ROOTS = [88, 136] as const;
const META_BYTES = 160;
const META_PAGE = 8;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/**
 * LMDB reads its file through a memory map and trusts it: a file whose first pages are damaged, or that was cut off
 * before the root of its tree, ends the process with a signal. This looks before LMDB does, and throws a sentence.
 * A folder without a file, or with an empty one, is a new store. `what`: whose file it is, as the operator calls it.
 */
export function checkLmdbFile(folder: string, what: string): void {
  const path = join(folder, 'data.mdb');
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const first = readMeta(file, 0);
    const pageSize = first?.readUInt32LE(PAGE_SIZE) ?? 0;
    const second = first && pageSize >= 512 && pageSize <= 65_536 ? readMeta(file, pageSize) : null;
    if (!first || !second || second.readUInt32LE(PAGE_SIZE) !== pageSize)
      throw damaged(path, what, 'its first pages are damaged');
    for (const meta of [first, second]) {
      for (const at of ROOTS) {
        const root = meta.readBigUInt64LE(at);
        if (root !== NO_PAGE && (root + 1n) * BigInt(pageSize) > BigInt(size))
          throw damaged(path, what, 'its end is missing');
      }
    }
  } finally {
    closeSync(file);
  }
}

function readMeta(file: number, offset: number): Buffer | null {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(file, meta, 0, META_BYTES, offset) < META_BYTES) return null;
  const good =
    meta.readUInt16LE(FLAGS) === META_PAGE &&
    meta.readUInt32LE(MAGIC) === 0xbeefc0de &&
    meta.readUInt32LE(VERSION) === 2;
  return good ? meta : null;
}

function damaged(path: string, what: string, why: string): Error {
  return new Error(`${path} can not be used, ${why}: put ${what} back from a backup`);
}
