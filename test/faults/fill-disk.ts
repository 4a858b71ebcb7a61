import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';

/** Takes all the room that the disk of `path` has, but `left` bytes, with a file of that name. */
export function fillDisk(path: string, left = 0): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size >= 4096; ) {
      const { bavail, bsize } = statfsSync(path);
      if (bavail * bsize < size + left) size >>= 1;
      else writeSync(file, Buffer.alloc(size));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}
