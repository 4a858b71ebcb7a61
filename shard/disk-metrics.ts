import type { Dirent } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Meters } from '../cluster/metrics/meters.ts';

/** What the files of a folder take is added up no more often than this, ms: a long log is thousands of files. */
const ADD_UP_EVERY_MS = 30_000;
/** Bytes of the blocks that stat counts. */
const BLOCK = 512;

/** Room on the disks of these folders, by name. A folder that is not there yet has none. */
export function createDiskMetrics(meters: Meters, folders: Readonly<Record<string, string>>): void {
  const each = async (read: (path: string) => Promise<number>): Promise<[{ folder: string }, number][]> => {
    const series: [{ folder: string }, number][] = [];
    for (const [folder, path] of Object.entries(folders)) {
      const value = await read(path).catch(() => null);
      if (value !== null) series.push([{ folder }, value]);
    }
    return series;
  };
  const labels = ['folder'] as const;
  meters.gauges('enc_disk_size_bytes', 'size of the file system that a folder is on', labels, () =>
    each(async (path) => {
      const { blocks, bsize } = await statfs(path);
      return blocks * bsize;
    }),
  );
  meters.gauges('enc_disk_free_bytes', 'room that is left there for this process', labels, () =>
    each(async (path) => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    }),
  );
  let at = Number.NEGATIVE_INFINITY;
  let known: Promise<[{ folder: string }, number][]> = Promise.resolve([]);
  meters.gauges('enc_folder_bytes', 'disk that the files of a folder take', labels, () => {
    if (performance.now() - at > ADD_UP_EVERY_MS) {
      at = performance.now();
      known = each(usedBy);
    }
    return known;
  });
}

/** Files that go away meanwhile count for nothing. */
async function usedBy(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of (await readdir(folder, { recursive: true, withFileTypes: true })) as Dirent[]) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => null);
    bytes += (found?.blocks ?? 0) * BLOCK;
  }
  return bytes;
}
