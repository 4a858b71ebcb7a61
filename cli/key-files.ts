import { chmod, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Key, keyFromHex, newSecret } from '../client/keys.ts';
import type { Secp } from '../client/secp.ts';
import { UsageError } from './failures.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const SUFFIX = '.key';

/** Secret keys as files: 64 hex digits and a newline, mode 0600, in a folder of mode 0700. */
export class KeyFiles {
  readonly folder: string;
  private readonly secp: Secp;

  constructor(folder: string, secp: Secp) {
    this.folder = folder;
    this.secp = secp;
  }

  /** Makes a key. A name that is taken is refused: a lost key can't be had again. */
  async create(name: string): Promise<Key> {
    return this.write(name, Buffer.from(newSecret(this.secp)).toString('hex'));
  }

  /** Keeps a secret of 64 hex digits under `name`. */
  async import(name: string, hex: string): Promise<Key> {
    return this.write(name, hex.trim().toLowerCase());
  }

  /** The key in `name`'s file, or, if there is no such name, in the file at that path. */
  async load(nameOrPath: string): Promise<{ name: string; key: Key }> {
    return { name: basename(nameOrPath, SUFFIX), key: this.parse(await this.secret(nameOrPath), nameOrPath) };
  }

  /** The 64 hex digits themselves. */
  async secret(nameOrPath: string): Promise<string> {
    const path = await this.find(nameOrPath);
    if (((await stat(path)).mode & 0o077) !== 0 && process.platform !== 'win32') {
      throw new UsageError(`Others can read the key file ${path}. Close it with: chmod 600 ${path}`);
    }
    return (await readFile(path, 'utf8')).trim();
  }

  async list(): Promise<{ name: string; id: string }[]> {
    const files = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const names = files.filter((file) => file.endsWith(SUFFIX)).sort();
    return Promise.all(
      names.map(async (file) => {
        const { name, key } = await this.load(join(this.folder, file));
        return { name, id: key.id };
      }),
    );
  }

  private async find(nameOrPath: string): Promise<string> {
    const candidates = NAME.test(nameOrPath) ? [join(this.folder, nameOrPath + SUFFIX), nameOrPath] : [nameOrPath];
    for (const path of candidates) {
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile()) return path;
    }
    throw new UsageError(
      nameOrPath === 'default'
        ? 'You have no key yet. Make one with: enc key new'
        : `There is no key "${nameOrPath}", neither by that name nor as a file. See: enc key list`,
    );
  }

  private async write(name: string, hex: string): Promise<Key> {
    if (!NAME.test(name)) throw new UsageError(`"${name}" can't name a key. Use letters, digits, "_", "." and "-".`);
    const key = this.parse(hex, name);
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await chmod(this.folder, 0o700);
    const path = join(this.folder, name + SUFFIX);
    const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw new UsageError(`A key named "${name}" exists already. Choose another name.`);
      throw error;
    });
    try {
      await file.writeFile(`${hex}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    return key;
  }

  private parse(hex: string, from: string): Key {
    try {
      return keyFromHex(hex, this.secp);
    } catch (error) {
      throw new UsageError(`"${from}" holds no key: ${(error as Error).message}`);
    }
  }
}
