import { parentPort, workerData } from 'node:worker_threads';
import { Applier } from './applier.ts';
import { LogWriter } from './log-writer.ts';
import type { FromWriter, ToWriter, WriterData } from './writer-messages.ts';

/** How long rows wait for others before they go from the journal to LMDB, ms: each time costs a commit there, so it must
 *  be rare, and readers look through the rows that wait, so they must be few. */
const APPLY_AFTER_MS = 500;
/** When it is tried again after a failure, a full disk say, ms. */
const AGAIN_AFTER_MS = 1000;

/** Entry of the writer thread (write-queue.ts starts it). */
const port = parentPort;
if (port !== null) {
  const say = (messages: readonly FromWriter[]): void => {
    for (const message of messages)
      port.postMessage(message, message.kind === 'done' && message.rows.length > 0 ? [message.rows.buffer] : []);
  };
  try {
    const { folder, applied } = workerData as WriterData;
    const voided = new SharedArrayBuffer(4);
    const writer = new LogWriter(folder, { applied: new Int32Array(applied), voided: new Int32Array(voided) });
    let timer: NodeJS.Timeout | null = null;
    /** The next job goes to the applier: now, or when it has waited long enough. */
    const handOver = (after: number): void => {
      if (after > 0) {
        timer ??= setTimeout(handOver, after, 0);
        return;
      }
      if (timer !== null) clearTimeout(timer);
      timer = null;
      const job = writer.handOver();
      if (job !== null) applier.apply(job);
    };
    let closing = false;
    const next = (): void => {
      if (closing) return;
      if (writer.overfull) say(writer.apply());
      else if (writer.waiting === 'pressing') handOver(0);
      else if (writer.waiting === 'some') handOver(APPLY_AFTER_MS);
    };
    const applier = new Applier(
      { folder, voided },
      (done) => {
        say(writer.handedBack(done));
        if (done.result === 'failed' && !closing) handOver(AGAIN_AFTER_MS);
        else next();
      },
      (reason) => say([{ kind: 'failed', error: `Rows can't be put into the database: ${reason}`, fatal: true }]),
    );
    say([{ kind: 'started', error: null }]);
    port.on('message', (message: ToWriter) => {
      if (message.kind === 'close') {
        closing = true;
        if (timer !== null) clearTimeout(timer);
        void (async () => {
          await applier.close();
          say([...(await writer.close()), { kind: 'closed' }]);
          port.close();
        })();
        return;
      }
      say(message.kind === 'group' ? writer.write(message) : writer.later(message));
      // Behind the answers: nobody waits for it.
      next();
    });
  } catch (error) {
    say([{ kind: 'started', error: error instanceof Error ? error.message : String(error) }]);
    port.close();
  }
}
