import {
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** A file is filled with zeros so far ahead, in steps between these, growing with it: a synchronous write into blocks
 *  that are there already waits for one I/O instead of two or three, and costs half the CPU. */
const MIN_AHEAD = 64 * 1024;
const MAX_AHEAD = 1024 * 1024;

/** Writes return when they are on disk; where the system has no such flag, a sync follows each of them. */
const DURABLE = constants.O_DSYNC ?? 0;

/** A file that is written from its begin on, each write durable when it returns. It is made at the first. */
export class DurableFile {
  readonly path: string;
  #fd = -1;
  /** up to where the file has blocks */
  #filled = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Writes `parts`, `total` bytes together, at `offset`. Throws the file system's error. */
  write(parts: readonly Buffer[], total: number, offset: number): void {
    if (this.#fd < 0) {
      this.#fd = openSync(this.path, constants.O_RDWR | constants.O_CREAT | DURABLE, 0o600);
      syncFolder(dirname(this.path));
    }
    if (offset + total > this.#filled) this.#fill(offset + total);
    const written = writevSync(this.#fd, parts as Buffer[], offset);
    if (written < total) writeAll(this.#fd, Buffer.concat(parts).subarray(written), offset + written);
    if (DURABLE === 0) syncFile(this.#fd);
  }

  /** Gives back what a failed write left behind `end`; failing to do so does no harm. */
  cut(end: number): void {
    if (this.#fd < 0) return;
    this.#filled = Math.min(this.#filled, end);
    ftruncateSync(this.#fd, end);
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #fill(needed: number): void {
    const end = needed + Math.min(MAX_AHEAD, Math.max(MIN_AHEAD, needed >> 2));
    writeAll(this.#fd, Buffer.alloc(end - this.#filled), this.#filled);
    this.#filled = end;
  }
}

function writeAll(fd: number, bytes: Buffer, offset: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
}

/** A sync that failed may have dropped what it should have written: nobody may go on as if it had not. */
export class SyncFailed extends Error {
  override readonly name = 'SyncFailed';
}

export function syncFile(fd: number): void {
  try {
    fdatasyncSync(fd);
  } catch (error) {
    throw new SyncFailed(`A sync failed: ${String(error)}`);
  }
}

/** Makes the names in a folder durable: a synced file without a name is lost. */
export function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * A commit of LMDB that failed and may be tried again: it has left older transactions as they were, and writes all of its
 * pages anew. (Out of room shows there as an I/O error, too.) Only behind a half-written meta page nothing can be trusted.
 */
export function mayCommitAgain(error: unknown): boolean {
  return !/MDB_PANIC/.test(String(error));
}

/** A write that found no room: what it wrote is given back, and later ones may be carried out. */
export function isDiskFull(error: unknown): boolean {
  return (
    error instanceof Error &&
    !(error instanceof SyncFailed) &&
    /ENOSPC|EDQUOT|No space left|quota/i.test(`${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}`)
  );
}
