import {
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { ContentPlace } from './entry-row.ts';

/**
 * Contents lie outside LMDB, in append-only files, because a Delete has to overwrite them in place (LMDB keeps old
 * pages). This is the writer thread's side. A file is written by one run of one process only, and only behind its
 * durable end; so nothing that is referenced is ever overwritten but by an erasure.
 */
export const CONTENT_FILE_BYTES = 64 * 1024 * 1024;

/** A file is filled with zeros so far ahead, in steps between these, growing with it: a synchronous write into blocks
 *  that are there already waits for one I/O instead of two or three, and costs half the CPU. */
const MIN_AHEAD = 64 * 1024;
const MAX_AHEAD = 1024 * 1024;

/** Writes return when they are on disk; where the system has no such flag, a sync follows each of them. */
const DURABLE = constants.O_DSYNC ?? 0;

export function contentFileName(file: number): string {
  return `${String(file).padStart(8, '0')}.seg`;
}

export class ContentWriter {
  readonly #folder: string;
  #fd = -1;
  #file = 0;
  /** up to where the file has blocks */
  #filled = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Starts a file of this number, which no other run ever had. */
  begin(file: number): void {
    this.#release();
    this.#file = file;
    this.#filled = 0;
  }

  get file(): number {
    return this.#file;
  }

  get path(): string {
    return join(this.#folder, contentFileName(this.#file));
  }

  /** Writes `parts` from `offset` on, and returns when they are on disk. Throws the file system's error. */
  append(parts: readonly Buffer[], total: number, offset: number): void {
    if (this.#fd < 0) {
      this.#fd = openSync(this.path, constants.O_RDWR | constants.O_CREAT | DURABLE, 0o600);
      syncFolder(this.#folder);
    }
    if (offset + total > this.#filled) this.#fill(offset + total);
    const written = writevSync(this.#fd, parts as Buffer[], offset);
    if (written < total) writeAll(this.#fd, Buffer.concat(parts).subarray(written), offset + written);
    if (DURABLE === 0) syncFile(this.#fd);
  }

  #fill(needed: number): void {
    const ahead = Math.min(MAX_AHEAD, Math.max(MIN_AHEAD, needed >> 2));
    const end = needed + ahead;
    writeAll(this.#fd, Buffer.alloc(end - this.#filled), this.#filled);
    this.#filled = end;
  }

  /** Gives back what a failed group wrote behind `end`; failing to do so does no harm. */
  cut(end: number): void {
    if (this.#fd < 0) return;
    this.#filled = Math.min(this.#filled, end);
    ftruncateSync(this.#fd, end);
  }

  /** The content as written, holes not yet zeroed; shorter if the file is. */
  read(place: ContentPlace): Buffer {
    const bytes = Buffer.alloc(place.length);
    const fd = openSync(join(this.#folder, contentFileName(place.file)), constants.O_RDONLY);
    try {
      for (let at = 0; at < bytes.length; ) {
        const got = readSync(fd, bytes, at, bytes.length - at, place.offset + at);
        if (got === 0) break;
        at += got;
      }
    } finally {
      closeSync(fd);
    }
    return bytes;
  }

  /** Overwrites these places with zeros, durably. Places of a file that is gone, or behind its end, are as good as erased. */
  erase(places: readonly ContentPlace[]): void {
    const files = Map.groupBy(places, (place) => place.file);
    for (const [file, parts] of files) {
      const path = join(this.#folder, contentFileName(file));
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (size === 0) continue;
      const fd = openSync(path, constants.O_RDWR);
      try {
        for (const part of parts) {
          const zeros = Buffer.alloc(Math.min(Math.max(0, Math.min(part.length, size - part.offset)), 1024 * 1024));
          for (let at = 0, left = Math.min(part.length, size - part.offset); left > 0; ) {
            const done = writeSync(fd, zeros, 0, Math.min(left, zeros.length), part.offset + at);
            at += done;
            left -= done;
          }
        }
        syncFile(fd);
      } finally {
        closeSync(fd);
      }
    }
  }

  /** Cuts off what was written behind the durable ends: contents of appends that were never answered. */
  cutTails(ends: ReadonlyMap<number, number>): void {
    for (const name of readdirSync(this.#folder)) {
      const match = /^(\d{8,10})\.seg$/.exec(name);
      if (match === null) continue;
      const path = join(this.#folder, name);
      const end = ends.get(Number(match[1])) ?? 0;
      if (end === 0) unlinkSync(path);
      else if (statSync(path).size > end) truncateSync(path, end);
    }
  }

  close(): void {
    this.#release();
  }

  #release(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

function writeAll(fd: number, bytes: Buffer, offset: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
}

/** A sync that failed may have dropped what it should have written: nobody may go on as if it had not. */
export class SyncFailed extends Error {
  override readonly name = 'SyncFailed';
}

function syncFile(fd: number): void {
  try {
    fdatasyncSync(fd);
  } catch (error) {
    throw new SyncFailed(`A sync of the content file failed: ${String(error)}`);
  }
}

/** Makes the names in the log folder, and its own, durable: a synced file without a name is lost. */
export function syncFolders(folder: string): void {
  for (const path of [join(folder, 'content'), folder, dirname(resolve(folder))]) syncFolder(path);
}

function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
