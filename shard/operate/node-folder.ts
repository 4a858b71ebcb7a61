import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Head, RECORD_EVENT } from '../../kernel/kernel.ts';
import { sequencerSecret } from '../../protocol/hash.ts';
import { toHex } from '../../protocol/hex.ts';
import { readEventRecord } from '../../protocol/records.ts';
import { openSecp256k1 } from '../crypto/open.ts';
import { snapshotItems } from '../enclave/snapshot.ts';
import { checkGuard } from '../guard/adopt.ts';
import { openFileGuard } from '../guard/file-guard.ts';
import type { ReleaseGuard } from '../guard/release-guard.ts';
import { checkLmdbFile } from '../lmdb-file.ts';
import { asBuffer } from '../log/bytes.ts';
import { openEmbeddedLog } from '../log/embedded/index.ts';
import type { EnclaveLog, LogKey } from '../log/enclave-log.ts';
import { foldHead } from '../log/fold-head.ts';
import { emptyHead, sameHead } from '../log/head-bytes.ts';
import { fileKeyProvider, type MasterSecret } from '../signer/key-provider.ts';
import { unwrapSecret } from '../signer/key-row.ts';
import type { KeyStore } from '../signer/key-store.ts';
import { LmdbKeyStore } from '../signer/lmdb-key-store.ts';

const PAGE = 256;
const READ_BYTES = 4 << 20;

export interface NodeFolders {
  readonly log: string;
  readonly guard: string;
  readonly keys: string;
}

/** One enclave of a node, as far as it has been released. */
export interface KeptEnclave {
  /** 64 hex digits */
  readonly id: string;
  readonly events: number;
  readonly bundles: number;
  /** false: nothing was ever released */
  readonly founded: boolean;
  /** key that came by init-with-priv, hex; null if it derives from the master secret, or is not held here */
  readonly imported: { readonly secret: string; readonly creator: string | null } | null;
}

/** A Manifest, and the sequencer that the newest master secret gives to it. */
export interface Sample {
  readonly from: string;
  readonly content: unknown;
  readonly tags: readonly (readonly string[])[] | undefined;
  readonly sequencer: string;
}

/**
 * The data folder of a single node that has been stopped, to read from. Nothing is signed, released or opened in it. (A
 * node that still runs on it is stopped by this: one process has a folder at a time.)
 */
export class NodeFolder {
  readonly #log: EnclaveLog;
  readonly #guard: ReleaseGuard;
  readonly #keys: KeyStore;
  readonly #masters: readonly MasterSecret[];

  private constructor(log: EnclaveLog, guard: ReleaseGuard, keys: KeyStore, masters: readonly MasterSecret[]) {
    this.#log = log;
    this.#guard = guard;
    this.#keys = keys;
    this.#masters = masters;
  }

  /** Rejects with a sentence when something is missing, damaged, or does not belong together. */
  static async open(folders: NodeFolders): Promise<NodeFolder> {
    for (const [name, folder] of Object.entries(folders) as [keyof NodeFolders, string][])
      if (!existsSync(folder)) throw new Error(`There is no ${name}/ in ${folder}: name the node's data folder.`);
    const masters = await fileKeyProvider(join(folders.keys, 'master.json')).load();
    if (masters === null) throw new Error(`There is no master.json in ${folders.keys}.`);
    checkLmdbFile(join(folders.keys, 'enclaves'), 'keys/');
    checkLmdbFile(folders.guard, 'guard/');
    checkLmdbFile(folders.log, 'log/');
    const keys = new LmdbKeyStore(join(folders.keys, 'enclaves'));
    await keys.checkVersions(masters);
    const guard = await openFileGuard({ folder: folders.guard });
    const checkpointKey = (masters[0] as MasterSecret).derive('enc:checkpoint');
    const log = await openEmbeddedLog({ folder: folders.log, checkpointKey });
    const opened = new NodeFolder(log, guard, keys, masters);
    try {
      await checkGuard(log, guard);
      await log.erased();
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /** Ids of all enclaves, in order. */
  async *ids(): AsyncGenerator<Uint8Array> {
    let page = await this.#log.list(null, PAGE);
    for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
      for (const { enclave, lane } of page) if (lane === 0) yield enclave;
      page = await this.#log.list(last, PAGE);
    }
  }

  /** Rejects when the log does not contain what was released. */
  async look(enclave: Uint8Array): Promise<KeptEnclave> {
    const key = { enclave, lane: 0 };
    const id = toHex(enclave);
    const head = await this.#guard.read(key);
    const none = { id, events: 0, bundles: 0, founded: false, imported: null };
    if (head === null || head.seq < 0) return none;
    if (!(await this.#contains(key, head)))
      throw new Error('its log lacks what was released: `enc admin recover` it in the node first');
    return {
      id,
      events: head.seq + 1,
      bundles: head.bundles,
      founded: true,
      imported: await this.#imported(enclave),
    };
  }

  /** An `.enc` file (PROTOCOL §10) of what has been released. */
  async *snapshot(enclave: Uint8Array): AsyncGenerator<Uint8Array> {
    const key = { enclave, lane: 0 };
    const head = await this.#guard.read(key);
    if (head === null || head.seq < 0) throw new Error('nothing of it was released');
    yield* snapshotItems(key, head, this.#log, Date.now());
  }

  /** Of an enclave whose key derives from the newest master secret; null if this one's does not. */
  async sample(enclave: Uint8Array): Promise<Sample | null> {
    const row = await this.#keys.get(enclave);
    const newest = this.#masters.at(-1) as MasterSecret;
    if (row === null || row.source.kind !== 'derived' || row.version !== newest.version) return null;
    const first = await this.#log.record({ enclave, lane: 0 }, 0);
    if (first === null || first.record[4] !== RECORD_EVENT) return null;
    const { from, tags } = readEventRecord(first.record);
    const { seed } = row.source;
    const secret = newest.use((bytes) => sequencerSecret(bytes, seed));
    const sequencer = toHex(openSecp256k1().publicKey(secret) as Uint8Array);
    secret.fill(0);
    return {
      from: toHex(from),
      content: JSON.parse(asBuffer(first.content).toString('utf8')),
      tags: tags === '' ? undefined : JSON.parse(tags),
      sequencer,
    };
  }

  async close(): Promise<void> {
    await this.#log.close();
    await this.#guard.close();
    await this.#keys.close();
    for (const master of this.#masters) master.wipe();
  }

  /** Did the log go through this head? It pins every event and the boundaries of all bundles (ARCHITECTURE §3). */
  async #contains(key: LogKey, head: Head): Promise<boolean> {
    let reached = emptyHead(key.enclave);
    for (let batches = await this.#log.read(key, 0, READ_BYTES); batches.length > 0; ) {
      for (const { skeleton } of batches) {
        reached = foldHead(reached, asBuffer(skeleton));
        if (sameHead(reached, head)) return true;
        if (reached.seq > head.seq) return false;
      }
      batches = await this.#log.read(key, reached.seq + 1, READ_BYTES);
    }
    return false;
  }

  async #imported(enclave: Uint8Array): Promise<KeptEnclave['imported']> {
    const row = await this.#keys.get(enclave);
    if (row === null || row.source.kind !== 'imported') return null;
    const master = this.#masters.find(({ version }) => version === row.version);
    if (!master) throw new Error(`version ${row.version} of the master secret is missing`);
    const secret = unwrapSecret(master, enclave, row.source.wrapped);
    const hex = toHex(secret);
    secret.fill(0);
    return { secret: hex, creator: row.creator && toHex(row.creator) };
  }
}
