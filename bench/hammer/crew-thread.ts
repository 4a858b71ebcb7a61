/** A thread of the hammer (hammer.ts): runs the crew that `workerData` describes. */
import { parentPort, workerData } from 'node:worker_threads';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { Crew } from './crew.ts';
import type { FromCrew, Job, ToCrew } from './messages.ts';

const port = parentPort;
if (!port) throw new Error('this is a thread of the hammer: start bench/hammer/main.ts');
const tell = (message: FromCrew): void => port.postMessage(message);
const crew = new Crew(workerData as Job, openSecp256k1(), tell);
const founded = crew.found();
port.on('message', async (message: ToCrew) => {
  if (message.kind === 'stop') return crew.stop();
  await founded;
  tell({ kind: 'done', result: await crew.run(message.at) });
  port.close();
});
await founded;
