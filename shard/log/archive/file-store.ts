import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { ARCHIVE_OBJECT_BYTES, ArchiveDamaged } from '../../../protocol/archive-object.ts';
import { type ByteRange, type ObjectStore, StoreUnavailable } from './object-store.ts';

/** Half-written files, under the archive's folder so that a link to the final name is no copy. */
const TMP = 'tmp';
/** A writer that has not linked its file for so long is dead, ms. */
const TMP_AGE_MS = 3_600_000;
const ZEROS = Buffer.alloc(256 * 1024);

/**
 * Objects as files of a folder, which several nodes may share. A file is written and synced under a name of its own,
 * and then linked: link(2) fails if the name is taken, and never shows half a file.
 */
export class FileStore implements ObjectStore {
  readonly name: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.name = root;
    mkdirSync(join(root, TMP), { recursive: true, mode: 0o700 });
  }

  /** Removes what writers left that died before they linked it. */
  async sweep(now = Date.now()): Promise<void> {
    const folder = join(this.#root, TMP);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => null);
      if (found !== null && now - found.mtimeMs > TMP_AGE_MS) await rm(path, { force: true });
    }
  }

  create(name: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#doing('can not be written', async () => {
      const path = this.#path(name);
      const fresh = join(this.#root, TMP, randomBytes(12).toString('hex'));
      await this.#makeFolder(dirname(path));
      try {
        const file = await open(fresh, 'wx', 0o600);
        try {
          await file.writeFile(bytes);
          await file.datasync();
        } finally {
          await file.close();
        }
        const linked = await link(fresh, path).then(
          () => 'created' as const,
          (error: NodeJS.ErrnoException) => {
            if (error.code === 'EEXIST') return 'exists' as const;
            throw error;
          },
        );
        // Also of one that somebody else has linked: its name may not be on disk yet.
        await syncFolder(dirname(path));
        return linked;
      } finally {
        await rm(fresh, { force: true });
      }
    });
  }

  get(name: string): Promise<Uint8Array | null> {
    return this.#doing('can not be read', async () => {
      const file = await opened(this.#path(name), 'r');
      if (file === null) return null;
      try {
        const { size } = await file.stat();
        if (size > ARCHIVE_OBJECT_BYTES) throw new ArchiveDamaged('it is larger than any archived bundle');
        return await file.readFile();
      } finally {
        await file.close();
      }
    });
  }

  erase(name: string, ranges: readonly ByteRange[]): Promise<void> {
    return this.#doing('can not be erased', async () => {
      const file = await opened(this.#path(name), 'r+');
      if (file === null) return;
      try {
        const { size } = await file.stat();
        for (const { offset, length } of ranges) await overwrite(file, offset, Math.min(offset + length, size));
        await file.datasync();
      } finally {
        await file.close();
      }
    });
  }

  async close(): Promise<void> {}

  #path(name: string): string {
    return join(this.#root, ...name.split('/'));
  }

  /** Folders on the way, their names on disk. */
  async #makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    const parts = relative(this.#root, folder).split(sep);
    for (let i = 0; i < parts.length; i++) await syncFolder(join(this.#root, ...parts.slice(0, i)));
  }

  async #doing<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ArchiveDamaged) throw error;
      throw new StoreUnavailable(`The archive in ${this.#root} ${what}`, error);
    }
  }
}

async function opened(path: string, flags: 'r' | 'r+'): Promise<FileHandle | null> {
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function overwrite(file: FileHandle, from: number, to: number): Promise<void> {
  for (let at = from; at < to; ) {
    const { bytesWritten } = await file.write(ZEROS, 0, Math.min(ZEROS.length, to - at), at);
    at += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
