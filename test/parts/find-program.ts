import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Path of a program in PATH, or where `go install` puts it; null if it is not on this machine. */
export function findProgram(name: string): string | null {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...(process.env['GOBIN'] ? [process.env['GOBIN']] : []),
    join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'),
  ];
  for (const folder of folders) {
    const path = join(folder, name);
    if (folder !== '' && existsSync(path) && works(path)) return path;
  }
  return null;
}

/** A version manager's shim may stand for a program that is not there. */
function works(path: string): boolean {
  if (!readFileSync(path).subarray(0, 2).equals(Buffer.from('#!'))) return true;
  return spawnSync(path, ['--help'], { stdio: 'ignore' }).status === 0;
}
