import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logConformance } from '../../../test/conformance/log-conformance.ts';
import { openEmbeddedLog } from './index.ts';

logConformance('embedded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-log-'));
  return {
    open: () => openEmbeddedLog({ folder, checkpointKey: new Uint8Array(32).fill(1) }),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
});
