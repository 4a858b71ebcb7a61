import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { LogKey } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';
import { contentFileName } from './content-writer.ts';
import { CONTENT_PAGE, type Entry, pageSum } from './entry-row.ts';
import { zeroHoles } from './transaction.ts';

/** Open content files at most: the least recently used one is closed. */
const OPEN_FILES = 16;

/** Reads contents from the content files; every 4 KiB page that it touches is checked. */
export class ContentReader {
  readonly #folder: string;
  readonly #files = new Map<number, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes [from, to) of the entry's content as written, holes as zeros. Throws LogDamaged. */
  read(key: LogKey, entry: Entry, from: number, to: number): Buffer {
    const start = Math.floor(from / CONTENT_PAGE) * CONTENT_PAGE;
    const end = Math.min(Math.ceil(to / CONTENT_PAGE) * CONTENT_PAGE, entry.place.length);
    const bytes = Buffer.allocUnsafe(end - start);
    const damaged = (): LogDamaged => new LogDamaged(key, entry.firstSeq, 'content of a batch');
    const fd = this.#open(entry.place.file);
    if (fd < 0) throw damaged();
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(fd, bytes, at, bytes.length - at, entry.place.offset + start + at);
      if (got === 0) throw damaged();
      at += got;
    }
    zeroHoles(bytes, entry.holes, start);
    for (let at = 0; at < bytes.length; at += CONTENT_PAGE) {
      if (
        crc32(bytes.subarray(at, Math.min(at + CONTENT_PAGE, bytes.length))) !==
        pageSum(entry, (start + at) / CONTENT_PAGE)
      )
        throw damaged();
    }
    return bytes.subarray(from - start, to - start);
  }

  /** The contents of the events, one behind the other, as `Batch.content`. */
  readAll(key: LogKey, entry: Entry): Buffer {
    if (entry.place.length === 0) return Buffer.alloc(0);
    const whole = this.read(key, entry, 0, entry.place.length);
    if (entry.holes.length === 0) return whole;
    const parts: Buffer[] = [];
    let at = 0;
    for (const hole of entry.holes) {
      parts.push(whole.subarray(at, hole.offset));
      at = hole.offset + hole.length;
    }
    parts.push(whole.subarray(at));
    return Buffer.concat(parts);
  }

  close(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  /** The file, or −1 if it can not be opened. */
  #open(file: number): number {
    const known = this.#files.get(file);
    if (known !== undefined) {
      this.#files.delete(file);
      this.#files.set(file, known);
      return known;
    }
    let fd: number;
    try {
      fd = openSync(join(this.#folder, contentFileName(file)), constants.O_RDONLY);
    } catch {
      return -1;
    }
    for (const [oldest, handle] of this.#files) {
      if (this.#files.size < OPEN_FILES) break;
      closeSync(handle);
      this.#files.delete(oldest);
    }
    this.#files.set(file, fd);
    return fd;
  }
}
