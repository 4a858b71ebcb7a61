/**
 * Makes the frozen vectors `test/vectors/*.json` from the codec. They are what an implementer in another language tests
 * against, so they are written once: without `--write` this only says whether the files are what the codec makes now.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, errorCases, jsonCases, keyCases, preimageCases } from './cases.ts';
import { evaluate, type Row } from './evaluate.ts';
import { requestCases } from './request-cases.ts';
import { commitCases, eventCases, sessionCases, sthCases } from './signed-cases.ts';
import { bundleCases, ctCases, smtCases } from './tree-cases.ts';

const FILES: Readonly<Record<string, () => Case[]>> = {
  json: jsonCases,
  preimages: preimageCases,
  keys: keyCases,
  commits: commitCases,
  events: eventCases,
  sessions: sessionCases,
  requests: requestCases,
  'state-tree': smtCases,
  bundles: bundleCases,
  'ct-log': ctCases,
  'tree-heads-and-placement': sthCases,
  errors: errorCases,
};

const write = process.argv.includes('--write');
let rows = 0;
let different = 0;
for (const [name, cases] of Object.entries(FILES)) {
  const made: Row[] = cases().map(({ kind, name: title, in: input }) => ({
    kind,
    name: title,
    in: input,
    out: evaluate({ kind, in: input }),
  }));
  const text = `[\n${made.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`;
  const path = join(import.meta.dirname, `${name}.json`);
  rows += made.length;
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  different++;
  if (write) writeFileSync(path, text);
  else console.log(`${name}.json is not what the codec makes now`);
}
console.log(`${rows} rows, ${different} files ${write ? 'written' : 'different'}`);
if (different > 0 && !write) process.exitCode = 1;
