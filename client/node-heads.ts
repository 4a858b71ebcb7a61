import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Remembered, TreeHeadStore } from './heads.ts';

/** Tree heads in a folder, one small JSON file an enclave, replaced atomically. For Node. */
export class FileHeads implements TreeHeadStore {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async get(enclave: string): Promise<Remembered | undefined> {
    let text: string;
    try {
      text = await readFile(this.path(enclave), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return JSON.parse(text) as Remembered;
    } catch (cause) {
      throw new Error(`${this.path(enclave)} is damaged. Remove it to trust the node afresh, or put a copy back.`, {
        cause,
      });
    }
  }

  async put(enclave: string, remembered: Remembered): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = this.path(enclave);
    const fresh = `${path}.${randomBytes(4).toString('hex')}`;
    await writeFile(fresh, `${JSON.stringify(remembered)}\n`, { mode: 0o600 });
    await rename(fresh, path);
  }

  private path(enclave: string): string {
    if (!/^[0-9a-f]{64}$/.test(enclave)) throw new TypeError('an enclave id is 64 lower-case hex digits');
    return join(this.folder, `${enclave}.json`);
  }
}
