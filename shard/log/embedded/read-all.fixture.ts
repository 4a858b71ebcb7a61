import { openEmbeddedLog } from './index.ts';

/** Run by storage.test.ts in a process of its own: opens a damaged folder and prints every event that it is given. */
const [folder, enclave] = process.argv.slice(2);
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
try {
  const log = await openEmbeddedLog({ folder: folder as string, checkpointKey: new Uint8Array(32).fill(1) });
  const key = { enclave: new Uint8Array(Buffer.from(enclave as string, 'hex')), lane: 0 };
  const head = await log.head(key);
  if (head === null) print('no log');
  for (let next = 0; head !== null && next <= head.seq; ) {
    const batches = await log.read(key, next, 1);
    if (batches.length === 0) break;
    for (const batch of batches) {
      if (batch.events > 0) print(`event ${batch.firstSeq} ${Buffer.from(batch.content).toString()}`);
      next += batch.events;
    }
  }
  await log.close();
} catch (error) {
  print(`refused ${String(error)}`);
  process.exitCode = 0;
}
process.exit();
