import { randomBytes } from 'node:crypto';
import { asBuffer } from '../../log/bytes.ts';
import type { Reply } from '../../redis/link.ts';
import type { RedisStore } from '../../redis/redis-store.ts';
import { enclaveKey } from '../../redis/row-key.ts';
import { loadScript, readCounted, type Script } from '../../redis/script.ts';
import type { MasterSecret } from '../key-provider.ts';
import { decodeKeyRow, encodeKeyRow, type KeyRow } from '../key-row.ts';
import { type KeyStore, newVersions } from '../key-store.ts';

const keepKey = loadScript(new URL('./keep-key-1.lua', import.meta.url));
const countEnclave = loadScript(new URL('./count-enclave-1.lua', import.meta.url));
const noteVersions = loadScript(new URL('./note-versions-1.lua', import.meta.url));

/** What a RedisStore must have loaded to hold keys. */
export const KEY_STORE_SCRIPTS: readonly Script[] = [readCounted, keepKey, countEnclave, noteVersions];

const KEYS = 'key';
const CREATORS = 'made';
const VERSIONS = 'enc:master-versions';
/** Id by which the server is chosen that holds what belongs to all. */
export const MASTER_VERSIONS_OWNER = new Uint8Array(32);
/** Keys that are looked at in one go. */
const SCAN_COUNT = '1000';
const ROW = new RegExp(`^(?:${KEYS}|${CREATORS})\\{([A-Za-z0-9_-]{43})\\}$`);

/** Names of all keys of a server that belong to a key store, and the id that places each; null: it belongs to all. */
export async function* keyRowsOf(store: RedisStore): AsyncGenerator<{ name: Buffer; id: Uint8Array | null }> {
  let cursor = '0';
  do {
    const [next, names] = (await store.fetch('SCAN', cursor, 'COUNT', SCAN_COUNT)) as [Buffer, Buffer[]];
    cursor = String(next);
    for (const name of names) {
      const text = name.toString('latin1');
      const id = ROW.exec(text)?.[1];
      if (id !== undefined) yield { name: Buffer.from(name), id: Buffer.from(id, 'base64url') };
      else if (text === VERSIONS) yield { name: Buffer.from(name), id: null };
    }
  } while (cursor !== '0');
}

/**
 * Keys of enclaves in the log's Redis, where every shard finds them: derived keys as the seed that they derive from,
 * imported ones wrapped. `storeOf` names the Redis that holds what belongs to this id (of an enclave or a creator; 32 zero
 * bytes: what belongs to all); it is the caller's to close.
 */
export class RedisKeyStore implements KeyStore {
  readonly #storeOf: (id: Uint8Array) => RedisStore;

  constructor(storeOf: (id: Uint8Array) => RedisStore) {
    this.#storeOf = storeOf;
  }

  async get(enclave: Uint8Array): Promise<KeyRow | null> {
    const row = await this.#storeOf(enclave).counted(readCounted, [enclaveKey(KEYS, enclave)], []);
    return row === null ? null : decodeKeyRow(row as Buffer);
  }

  /**
   * The creator's set may be on another server than the row. Both are written at once, the set first: on one server no
   * crash leaves a key that is not counted, on two servers whoever tries again after an unknown outcome counts it.
   */
  async insert(enclave: Uint8Array, row: KeyRow): Promise<boolean> {
    const { creator } = row;
    const counted = creator === null ? null : this.#count(creator, enclave, true);
    const kept = this.#storeOf(enclave).counted(keepKey, [enclaveKey(KEYS, enclave)], [encodeKeyRow(row)]);
    const [reply] = await Promise.all([kept, counted]);
    const [made, there] = reply as [number, Buffer];
    if (made === 1) return true;
    const first = decodeKeyRow(there).creator;
    if (creator !== null && (first === null || Buffer.compare(creator, first) !== 0))
      await this.#count(creator, enclave, false);
    return false;
  }

  async enclavesOf(creator: Uint8Array): Promise<number> {
    return Number(await this.#storeOf(creator).fetch('SCARD', enclaveKey(CREATORS, creator)));
  }

  async isNew(): Promise<boolean> {
    return (await this.#versions([])).size === 0;
  }

  async checkVersions(masters: readonly MasterSecret[]): Promise<void> {
    const fresh = newVersions(await this.#versions([]), masters);
    if (fresh.length === 0) return;
    // Another shard may have noted its own meanwhile: what stands there counts.
    newVersions(await this.#versions(fresh), masters);
  }

  async close(): Promise<void> {}

  async #versions(fresh: readonly MasterSecret[]): Promise<Map<number, Uint8Array>> {
    const args = fresh.flatMap((master) => [String(master.version), master.fingerprint()]);
    const store = this.#storeOf(MASTER_VERSIONS_OWNER);
    const reply = await store.counted(noteVersions, [VERSIONS], [randomBytes(8).toString('hex'), ...args]);
    const known = new Map<number, Uint8Array>();
    const fields = reply as Reply[];
    for (let i = 0; i < fields.length; i += 2)
      if (String(fields[i]) !== 'touched') known.set(Number(String(fields[i])), fields[i + 1] as Buffer);
    return known;
  }

  async #count(creator: Uint8Array, enclave: Uint8Array, there: boolean): Promise<void> {
    const key = enclaveKey(CREATORS, creator);
    await this.#storeOf(creator).counted(countEnclave, [key], [asBuffer(enclave), there ? '1' : '0']);
  }
}
