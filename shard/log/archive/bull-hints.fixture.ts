/** A process that takes a hint and never finishes with it: `node bull-hints.fixture.ts PORT`. */
import { BullHints } from './bull-hints.ts';

const hints = new BullHints({
  connection: { host: '127.0.0.1', port: Number(process.argv[2]) },
  onError: () => {},
  lockMs: 1000,
});
hints.start(({ enclave }) => {
  process.stdout.write(`begun ${enclave[0]}\n`);
  return new Promise(() => {});
});
process.stdout.write('ready\n');
