import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyStoreConformance } from '../../test/conformance/key-store-conformance.ts';
import { LmdbKeyStore } from './lmdb-key-store.ts';

keyStoreConformance('LMDB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-keys-'));
  return {
    open: async () => new LmdbKeyStore(folder),
    remove: async () => rmSync(folder, { recursive: true }),
  };
});
