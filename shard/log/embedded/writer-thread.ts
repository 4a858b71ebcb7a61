import { parentPort, workerData } from 'node:worker_threads';
import { LogWriter } from './log-writer.ts';
import type { FromWriter, ToWriter, WriterData } from './writer-messages.ts';

/** How long rows wait for others before they go from the journal to LMDB, ms: commits wait for that transaction some
 *  milliseconds, so it must be rare, and readers look through the rows that wait, so they must be few. */
const APPLY_AFTER_MS = 500;
/** When it is tried again after a failure, a full disk say, ms. */
const AGAIN_AFTER_MS = 1000;

/** Entry of the writer thread (write-queue.ts starts it). */
const port = parentPort;
if (port !== null) {
  const say = (message: FromWriter): void =>
    port.postMessage(message, message.kind === 'done' && message.rows.length > 0 ? [message.rows.buffer] : []);
  try {
    const { folder, applied } = workerData as WriterData;
    const writer = new LogWriter(folder, new Int32Array(applied));
    let timer: NodeJS.Timeout | null = null;
    const apply = (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      const failed = writer.apply();
      if (failed === null) return;
      say({ kind: 'failed', ...failed });
      if (!failed.fatal) timer = setTimeout(apply, AGAIN_AFTER_MS);
    };
    say({ kind: 'started', error: null });
    port.on('message', (message: ToWriter) => {
      if (message.kind === 'group') {
        for (const answer of writer.write(message)) say(answer);
        // Behind the answers: nobody waits for it.
        if (writer.full) apply();
        else if (!writer.applied) timer ??= setTimeout(apply, APPLY_AFTER_MS);
        return;
      }
      if (timer !== null) clearTimeout(timer);
      writer.close().then(() => {
        say({ kind: 'closed' });
        port.close();
      });
    });
  } catch (error) {
    say({ kind: 'started', error: error instanceof Error ? error.message : String(error) });
    port.close();
  }
}
