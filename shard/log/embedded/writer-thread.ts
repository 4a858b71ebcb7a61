import { parentPort, workerData } from 'node:worker_threads';
import { LogWriter } from './log-writer.ts';
import type { FromWriter, ToWriter } from './writer-messages.ts';

/** Entry of the writer thread (write-queue.ts starts it): workerData is the folder. */
const port = parentPort;
if (port !== null) {
  const say = (message: FromWriter): void => port.postMessage(message);
  try {
    const writer = new LogWriter(workerData as string);
    say({ kind: 'started', error: null });
    port.on('message', (message: ToWriter) => {
      if (message.kind === 'group') for (const answer of writer.write(message)) say(answer);
      else
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
