import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/**
 * Reads a file that holds a secret; null if there is none. Throws a sentence for the operator when it may be read by more
 * than needs be (checked on the open file, so it cannot be exchanged between check and read).
 */
export function readPrivateFile(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { mode, uid } = fstatSync(file);
    if (process.platform !== 'win32' && tooOpen(mode, uid, process.getuid?.() ?? 0)) {
      throw new Error(
        `${path} may be read by others (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${path}, then start again`,
      );
    }
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/**
 * May more users read a file of this mode and owner than `reader` and root? A file of root's that its group may read is
 * how Kubernetes and systemd hand a secret to a process that is not root; the group is then there for that process.
 */
export function tooOpen(mode: number, owner: number, reader: number): boolean {
  const handed = owner === 0 && reader !== 0;
  return (mode & (handed ? 0o037 : 0o077)) !== 0;
}

/**
 * Creates a file of mode 0600 durably and as a whole: temporary file, fsync, link, fsync of the folder. After a crash
 * the file is there completely or not at all. Returns false, and changes nothing, if the file exists.
 */
export function createPrivateFile(path: string, text: string): boolean {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path); // unlike rename, never replaces what another process has just created
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
  syncFolder(dirname(path));
  return true;
}

function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
