import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DurableFile, syncFile, syncFolder } from '../../journal/durable-file.ts';
import type { ContentPlace } from './entry-row.ts';

/**
 * Contents lie outside LMDB, in append-only files, because a Delete has to overwrite them in place (LMDB keeps old
 * pages). This is the writer thread's side. A file is written by one run of one process only, and only behind its
 * durable end; so nothing that is referenced is ever overwritten but by an erasure.
 */
export const CONTENT_FILE_BYTES = 64 * 1024 * 1024;

export function contentFileName(file: number): string {
  return `${String(file).padStart(8, '0')}.seg`;
}

export class ContentWriter {
  readonly #folder: string;
  #current: DurableFile | null = null;
  #file = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Starts a file of this number, which no other run ever had. */
  begin(file: number): void {
    this.close();
    this.#file = file;
    this.#current = new DurableFile(join(this.#folder, contentFileName(file)));
  }

  get file(): number {
    return this.#file;
  }

  /** Writes `parts` from `offset` on, and returns when they are on disk. Throws the file system's error. */
  append(parts: readonly Buffer[], total: number, offset: number): void {
    if (this.#current === null) throw new Error('No content file has been begun.');
    this.#current.write(parts, total, offset);
  }

  /** Gives back what a failed group wrote behind `end`; failing to do so does no harm. */
  cut(end: number): void {
    this.#current?.cut(end);
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
    this.#current?.close();
    this.#current = null;
  }
}

/** Makes the names in the log folder, and its own, durable: a synced file without a name is lost. */
export function syncFolders(folder: string): void {
  for (const path of [join(folder, 'content'), folder, dirname(resolve(folder))]) syncFolder(path);
}
