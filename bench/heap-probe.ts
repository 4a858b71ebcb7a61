import { writeSync } from 'node:fs';

/**
 * Loaded before a node that is measured (`node --expose-gc --import heap-probe.ts`): on SIGUSR2 it collects garbage and
 * writes one line to file descriptor 3: bytes of heap and of buffers in use, as JSON.
 */
const PROBE = 3;
/** What finalizers free is gone only after further collections. */
const COLLECTIONS = 4;

process.on('SIGUSR2', async () => {
  for (let i = 0; i < COLLECTIONS; i++) {
    await globalThis.gc?.({ type: 'major', execution: 'async' });
    await new Promise(setImmediate);
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  writeSync(PROBE, `${JSON.stringify({ heapUsed, external, arrayBuffers })}\n`);
});
