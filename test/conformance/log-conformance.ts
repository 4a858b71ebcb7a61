import { describe, test } from 'node:test';
import type { EnclaveLog } from '../../shard/log/enclave-log.ts';
import { appendingTests } from './log/appending.ts';
import { bookkeepingTests } from './log/bookkeeping.ts';
import { checkpointTests } from './log/checkpoints.ts';
import type { LogBackend, Using } from './log/driver.ts';
import { faultTests } from './log/faults.ts';
import { lookupTests } from './log/lookups.ts';
import { rewritingTests } from './log/rewriting.ts';

/** What every log must do (ARCHITECTURE §3). */
export function logConformance(name: string, make: () => Promise<LogBackend>): void {
  const using: Using = (what, run) => {
    test(what, async () => {
      const backend = await make();
      const logs: EnclaveLog[] = [];
      const tracked: LogBackend = {
        open: async () => {
          const log = await backend.open();
          logs.push(log);
          return log;
        },
        remove: backend.remove,
      };
      try {
        await run(tracked, logs);
      } finally {
        for (const log of logs) await log.close();
        await backend.remove();
      }
    });
  };

  describe(`log: ${name}`, () => {
    appendingTests(using);
    lookupTests(using);
    checkpointTests(using);
    rewritingTests(using);
    bookkeepingTests(using);
    faultTests(using);
  });
}
