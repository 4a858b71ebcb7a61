import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sequencerSecret } from '../../protocol/hash.ts';
import type { Backend } from '../crypto/backend.ts';
import { fileKeyProvider, type KeyProvider, type MasterSecret } from './key-provider.ts';
import { type KeyRow, unwrapSecret, wrapSecret } from './key-row.ts';
import type { KeyStore } from './key-store.ts';
import { LmdbKeyStore } from './lmdb-key-store.ts';
import { SecretCache } from './secret-cache.ts';
import { SequencerKey } from './sequencer-key.ts';

export type { SequencerKey };

export interface SignerOptions {
  /** the keys/ folder; made with mode 0700 if it is not there */
  readonly dir: string;
  readonly backend: Backend;
  /** default: the file master.json in `dir` */
  readonly provider?: KeyProvider;
  /** taken over: closed with the signer, and when opening fails; default: LMDB in `dir`/enclaves */
  readonly store?: KeyStore;
  /** unwrapped secrets kept in memory, default 8,192 (as many as enclaves may be active) */
  readonly maxUnwrapped?: number;
}

export interface FoundKey {
  readonly key: SequencerKey;
  /** true if the key came by init-with-priv (PROTOCOL §9), false if it derives from the master secret */
  readonly provisioned: boolean;
  /** provisioned: who alone may send the Manifest, null if it takes the admin token; derived: who did */
  readonly creator: Uint8Array | null;
}

const MAX_UNWRAPPED = 8192;

/**
 * Opens keys/. The first start makes the master secret; later ones refuse, with a sentence for the operator, files that
 * others may read, and folders in which a version of the master secret is missing or another one.
 */
export async function openSigner(options: SignerOptions): Promise<Signer> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const provider = options.provider ?? fileKeyProvider(join(options.dir, 'master.json'));
  const store = options.store ?? new LmdbKeyStore(join(options.dir, 'enclaves'));
  try {
    let masters = await provider.load();
    if (!masters && (await store.isNew())) masters = await provider.create();
    await store.checkVersions(masters ?? []);
    return new Signer(options, masters ?? [], store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Which key an enclave has, and signing with it (PROTOCOL §3, ARCHITECTURE §5). */
export class Signer {
  readonly #backend: Backend;
  readonly #masters: readonly MasterSecret[];
  readonly #store: KeyStore;
  readonly #cache: SecretCache;

  constructor(options: SignerOptions, masters: readonly MasterSecret[], store: KeyStore) {
    this.#backend = options.backend;
    this.#masters = masters;
    this.#store = store;
    this.#cache = new SecretCache(options.maxUnwrapped ?? MAX_UNWRAPPED);
  }

  /** The key that a new enclave with this key seed (32 bytes) gets: the newest master version's. */
  derive(seed: Uint8Array): SequencerKey {
    return this.#derived(this.#newest, seed);
  }

  /** The derived key with this public half, whatever master version made it; null if none did. For restored enclaves. */
  recognise(seed: Uint8Array, publicKey: Uint8Array): SequencerKey | null {
    for (const master of this.#masters) {
      const key = this.#derived(master, seed);
      if (Buffer.compare(key.public, publicKey) === 0) return key;
    }
    return null;
  }

  /**
   * Remembers that the enclave has this key, which `derive` or `recognise` made of `seed`, so that it is found after a
   * restart; to be awaited before the enclave's first append. Calls of one event-loop turn share one sync. Idempotent.
   * Rejects if the enclave has another key, or the write failed.
   */
  async adopt(enclave: Uint8Array, seed: Uint8Array, creator: Uint8Array | null, key: SequencerKey): Promise<void> {
    const row: KeyRow = {
      version: key.version,
      publicKey: key.public,
      creator,
      source: { kind: 'derived', seed: Uint8Array.from(seed) },
    };
    if (!(await this.#insert(enclave, row))) throw new Error('this enclave has another key already');
  }

  /**
   * Wraps and keeps an imported key (init-with-priv); durable when it resolves, to the public key. null if the enclave
   * has another key, or the same under another creator. Throws RangeError if the secret is no key. The caller wipes its
   * own copy.
   */
  async importKey(enclave: Uint8Array, secret: Uint8Array, creator: Uint8Array | null): Promise<Uint8Array | null> {
    const publicKey = this.#backend.publicKey(secret);
    if (!publicKey) throw new RangeError('a secret key is 32 bytes, 0 < key < n');
    const master = this.#newest;
    const wrapped = wrapSecret(master, enclave, secret);
    const row: KeyRow = { version: master.version, publicKey, creator, source: { kind: 'imported', wrapped } };
    return (await this.#insert(enclave, row)) ? publicKey : null;
  }

  /** The enclave's key and how it came; null if none was ever kept. Reads one row; the secret is not touched yet. */
  async lookup(enclave: Uint8Array): Promise<FoundKey | null> {
    const row = await this.#store.get(enclave);
    if (!row) return null;
    const id = Uint8Array.from(enclave);
    const key = this.#key(row.version, row.publicKey, () => this.#unwrap(id, row));
    return { key, provisioned: row.source.kind === 'imported', creator: row.creator };
  }

  /** The enclave with this key sleeps: its secret need not be in memory. It is unwrapped again when it is asked for. */
  release(key: SequencerKey): void {
    this.#cache.drop(Buffer.from(key.public).toString('latin1'));
  }

  /** How many enclaves were made by (or provisioned for) this identity. */
  enclavesOf(creator: Uint8Array): Promise<number> {
    return this.#store.enclavesOf(creator);
  }

  /** HMAC key of checkpoints: of the oldest master version, so that checkpoints outlive a rotation. */
  checkpointKey(): Uint8Array {
    return this.#oldest.derive('enc:checkpoint');
  }

  /** Overwrites every secret held here and closes the store. */
  async close(): Promise<void> {
    this.#cache.clear();
    for (const master of this.#masters) master.wipe();
    await this.#store.close();
  }

  get #newest(): MasterSecret {
    return this.#masters.at(-1) as MasterSecret;
  }

  get #oldest(): MasterSecret {
    return this.#masters[0] as MasterSecret;
  }

  #derived(master: MasterSecret, seed: Uint8Array): SequencerKey {
    const own = Uint8Array.from(seed);
    const derive = (): Uint8Array => master.use((secret) => sequencerSecret(secret, own));
    const once = derive();
    const publicKey = this.#backend.publicKey(once) as Uint8Array;
    once.fill(0);
    return this.#key(master.version, publicKey, derive);
  }

  #key(version: number, publicKey: Uint8Array, unwrap: () => Uint8Array): SequencerKey {
    const name = Buffer.from(publicKey).toString('latin1');
    return new SequencerKey(version, publicKey, this.#backend, () => this.#cache.get(name, unwrap));
  }

  #unwrap(enclave: Uint8Array, row: KeyRow): Uint8Array {
    const master = this.#masters.find(({ version }) => version === row.version);
    if (!master) throw new Error(`version ${row.version} of the master secret is missing`);
    const { source } = row;
    const secret =
      source.kind === 'imported'
        ? unwrapSecret(master, enclave, source.wrapped)
        : master.use((bytes) => sequencerSecret(bytes, source.seed));
    // Never sign with another key than the one the row promises: readers would see two sequencers.
    if (Buffer.compare(this.#backend.publicKey(secret) ?? new Uint8Array(), row.publicKey) !== 0) {
      secret.fill(0);
      throw new Error('a row of the key store is damaged: put keys/ back from your backup');
    }
    return secret;
  }

  /** True if the row is durable: inserted now, or there before with the same key, origin and creator. */
  async #insert(enclave: Uint8Array, row: KeyRow): Promise<boolean> {
    if (enclave.length !== 32) throw new RangeError('an enclave id is 32 bytes');
    if (await this.#store.insert(enclave, row)) return true;
    const there = await this.#store.get(enclave);
    return (
      there !== null &&
      there.source.kind === row.source.kind &&
      Buffer.compare(there.publicKey, row.publicKey) === 0 &&
      Buffer.compare(there.creator ?? new Uint8Array(), row.creator ?? new Uint8Array()) === 0
    );
  }
}
