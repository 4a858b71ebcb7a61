import { readFileSync } from 'node:fs';

/** What V8 is told of the heap of each entry, by its path in this project (docs/operate.md says why). */
export const NODE_ARGS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('../../bin/node-args.json', import.meta.url), 'utf8'),
);
