import { parentPort, workerData } from 'node:worker_threads';
import { applyJob } from './apply-job.ts';
import { openStore } from './store.ts';
import type { ApplierData, ToApplier } from './writer-messages.ts';

/** Entry of the thread that puts the journal's rows into LMDB: a commit there waits for the disk, and the writer does not. */
const port = parentPort;
if (port !== null) {
  const { folder, voided } = workerData as ApplierData;
  const store = openStore(folder);
  port.on('message', (message: ToApplier) => {
    if (message !== 'close') port.postMessage(applyJob(store, new Int32Array(voided), message));
    else void store.root.close().finally(() => port.close());
  });
}
