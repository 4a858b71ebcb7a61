import type { MasterSecret } from './key-provider.ts';
import type { KeyRow } from './key-row.ts';

/**
 * Which key each enclave has, and who made it. One conformance suite (test/conformance/key-store-conformance.ts) runs
 * against both back ends: LMDB in keys/enclaves for a single node, the log's Redis for a cluster.
 */
export interface KeyStore {
  /** The enclave's row, null if none was ever kept. It is durable: what it says may be relied on at once. */
  get(enclave: Uint8Array): Promise<KeyRow | null>;
  /** Durable when it resolves. An enclave keeps its first key: false, and nothing changes, if it has one already. */
  insert(enclave: Uint8Array, row: KeyRow): Promise<boolean>;
  /** How many enclaves have this creator in their row. */
  enclavesOf(creator: Uint8Array): Promise<number>;
  /** True if no master secret was ever used with this store. */
  isNew(): Promise<boolean>;
  /** Rejects with a sentence unless `masters` holds every version seen here before, unchanged; remembers the new ones. */
  checkVersions(masters: readonly MasterSecret[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * The versions that `known` (version → fingerprint) lacks. Throws a sentence when one of `masters` is another secret than
 * the one known, or a known one is missing.
 */
export function newVersions(known: ReadonlyMap<number, Uint8Array>, masters: readonly MasterSecret[]): MasterSecret[] {
  const missing = new Set(known.keys());
  const fresh = masters.filter((master) => {
    const fingerprint = known.get(master.version);
    if (fingerprint === undefined) return true;
    missing.delete(master.version);
    if (master.fingerprint().equals(fingerprint)) return false;
    throw new Error(
      `version ${master.version} of the master secret is not the one this node used before: put keys/ back from your backup`,
    );
  });
  for (const version of missing)
    throw new Error(
      `version ${version} of the master secret is missing, and enclaves may depend on it: put keys/ back from your backup`,
    );
  return fresh;
}
