import { type Database, open, type RootDatabase } from 'lmdb';
import type { MasterSecret } from './key-provider.ts';
import { decodeKeyRow, encodeKeyRow, type KeyRow } from './key-row.ts';

type Rows = Database<Buffer, Buffer>;
const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const;

/**
 * keys/enclaves: which key an enclave has. LMDB, so a million enclaves cost no heap; every write is one synced
 * transaction, shared by all writes of the same event-loop turn.
 */
export class KeyStore {
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

  get(enclave: Uint8Array): KeyRow | null {
    const row = this.#keys.get(Buffer.from(enclave));
    return row ? decodeKeyRow(row) : null;
  }

  /** Durable when it resolves. An enclave keeps its first key: false, and nothing changes, if it has one already. */
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

  enclavesOf(creator: Uint8Array): number {
    return this.#creators.getValuesCount(Buffer.from(creator));
  }

  /** True if no master secret was ever used with this store. */
  get isNew(): boolean {
    return this.#versions.getKeysCount() === 0;
  }

  /** Throws a sentence unless `masters` holds every version seen here before, unchanged; remembers the new ones. */
  checkVersions(masters: readonly MasterSecret[]): void {
    const fresh: [Buffer, Buffer][] = [];
    const missing = new Set(Array.from(this.#versions.getKeys(), (key) => key.readUInt16BE()));
    for (const master of masters) {
      const key = Buffer.alloc(2);
      key.writeUInt16BE(master.version);
      const known = this.#versions.get(key);
      if (!known) fresh.push([key, master.fingerprint()]);
      else if (!known.equals(master.fingerprint())) {
        throw new Error(
          `version ${master.version} of the master secret is not the one this node used before: put keys/ back from your backup`,
        );
      }
      missing.delete(master.version);
    }
    for (const version of missing)
      throw new Error(
        `version ${version} of the master secret is missing, and enclaves may depend on it: put keys/ back from your backup`,
      );
    if (fresh.length === 0) return;
    this.#root.transactionSync(() => {
      for (const [key, fingerprint] of fresh) this.#versions.putSync(key, fingerprint);
    });
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}
