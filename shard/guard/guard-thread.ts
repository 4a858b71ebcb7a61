import { parentPort, workerData } from 'node:worker_threads';
import type { FromGuardWriter, GuardWriterData, ToGuardWriter } from './guard-messages.ts';
import { GuardWriter } from './guard-writer.ts';

/** How long watermarks wait for others before they go from the journal to LMDB, ms: receipts wait for that transaction. */
const APPLY_AFTER_MS = 2000;
/** When it is tried again after a failure, a full disk say, ms. */
const AGAIN_AFTER_MS = 1000;

/** Entry of the guard's thread (file-guard.ts starts it). */
const port = parentPort;
if (port !== null) {
  const say = (message: FromGuardWriter): void => port.postMessage(message);
  try {
    const { folder, applied } = workerData as GuardWriterData;
    const writer = new GuardWriter(folder, new Int32Array(applied));
    let timer: NodeJS.Timeout | null = null;
    const apply = (): void => {
      timer = writer.apply() ? null : setTimeout(apply, AGAIN_AFTER_MS);
    };
    say({ kind: 'started', error: null });
    port.on('message', (message: ToGuardWriter) => {
      if (message.kind === 'group') {
        say(writer.write(Buffer.from(message.packed)));
        if (!writer.applied) timer ??= setTimeout(apply, APPLY_AFTER_MS);
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
