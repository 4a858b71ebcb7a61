import { type Database, open, type RootDatabase } from 'lmdb';
import type { MasterSecret } from './key-provider.ts';
import { decodeKeyRow, encodeKeyRow, type KeyRow } from './key-row.ts';
import { type KeyStore, newVersions } from './key-store.ts';

type Rows = Database<Buffer, Buffer>;
const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const;

/**
 * keys/enclaves: which key an enclave has. LMDB, so a million enclaves cost no heap; every write is one synced
 * transaction, shared by all writes of the same event-loop turn.
 */
export class LmdbKeyStore implements KeyStore {
  readonly #root: RootDatabase<Buffer, Buffer>;
  /** enclave → key-row.ts */
  readonly #keys: Rows;
  /** creator → its enclaves, sorted duplicates */
  readonly #creators: Rows;
  /** u16 master version → fingerprint */
  readonly #versions: Rows;

  constructor(folder: string) {
    // overlappingSync would resolve a write before it is on disk
    this.#root = open<Buffer, Buffer>({ path: folder, ...BINARY, overlappingSync: false, maxDbs: 4, noSubdir: false });
    this.#keys = this.#root.openDB<Buffer, Buffer>({ name: 'keys', ...BINARY });
    this.#creators = this.#root.openDB<Buffer, Buffer>({ name: 'creators', ...BINARY, dupSort: true });
    this.#versions = this.#root.openDB<Buffer, Buffer>({ name: 'versions', ...BINARY });
  }

  async get(enclave: Uint8Array): Promise<KeyRow | null> {
    const row = this.#keys.get(Buffer.from(enclave));
    return row ? decodeKeyRow(row) : null;
  }

  async insert(enclave: Uint8Array, row: KeyRow): Promise<boolean> {
    const key = Buffer.from(enclave);
    const writes: Promise<boolean>[] = [];
    const inserted = this.#keys.ifNoExists(key, () => {
      writes.push(this.#keys.put(key, encodeKeyRow(row)));
      if (row.creator) writes.push(this.#creators.put(Buffer.from(row.creator), key));
    });
    const [result] = await Promise.all([inserted, ...writes]);
    return result;
  }

  async enclavesOf(creator: Uint8Array): Promise<number> {
    return this.#creators.getValuesCount(Buffer.from(creator));
  }

  async isNew(): Promise<boolean> {
    return this.#versions.getKeysCount() === 0;
  }

  async checkVersions(masters: readonly MasterSecret[]): Promise<void> {
    const known = new Map(Array.from(this.#versions.getRange(), ({ key, value }) => [key.readUInt16BE(), value]));
    const fresh = newVersions(known, masters);
    if (fresh.length === 0) return;
    this.#root.transactionSync(() => {
      for (const master of fresh) {
        const key = Buffer.alloc(2);
        key.writeUInt16BE(master.version);
        this.#versions.putSync(key, master.fingerprint());
      }
    });
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}
