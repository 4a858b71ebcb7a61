import { mkdirSync } from 'node:fs';
import type { EnclaveLog } from '../enclave-log.ts';
import { EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts';
import { WriteQueue } from './write-queue.ts';

/**
 * Opens the log over LMDB, taking the folder over from any process that still has it open: from then on that one's
 * appends are 'fenced'. Rejects with a sentence if the folder has a newer format or can't be used.
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EnclaveLog> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  let log: EmbeddedLog | null = null;
  const applied = new SharedArrayBuffer(4);
  const queue = await WriteQueue.start({
    folder: options.folder,
    onFatal: (reason) => options.onFatal?.(reason),
    onFailure: (reason) => options.onFailure?.(reason),
    onWritten: options.onWritten,
    onCommitted: (group, rows) => log?.committed(group, rows),
    applied,
    onErased: (ops) => log?.overwritten(ops),
    onApplied: () => log?.applied(),
  });
  try {
    log = new EmbeddedLog(options, queue, new Int32Array(applied));
  } catch (error) {
    await queue.close();
    throw error;
  }
  return log;
}
