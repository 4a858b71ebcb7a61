import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

/**
 * Makes the file of an LMDB store that has none. LMDB writes the first pages of a new file without a sync: power that
 * fails then leaves half of them, which nobody can tell from a store that was damaged later (lmdb-file.ts). So the file
 * is made in a folder beside, synced, and only then gets its name: `data.mdb` is whole from its first moment on.
 * A crash on the way leaves that folder, and the next start begins anew.
 */
export async function makeLmdbFile(folder: string): Promise<void> {
  const path = join(folder, 'data.mdb');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const fresh = join(folder, 'new');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  rmSync(fresh, { recursive: true, force: true });
  await open({ path: fresh, noSubdir: false }).close();
  sync(join(fresh, 'data.mdb'));
  renameSync(join(fresh, 'data.mdb'), path);
  sync(folder);
  unlinkSync(join(fresh, 'lock.mdb'));
  rmdirSync(fresh);
}

function sync(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
