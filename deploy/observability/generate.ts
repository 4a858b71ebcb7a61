/**
 * Writes the dashboards and rules of the chart from their sources here: `npm run observability`. With `--check` it writes
 * nothing, and fails when a file is not what it should be, or should not be there.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { PAGES } from './dashboards/pages.ts';
import { build } from './dashboards/panel.ts';
import { RULE_FILES } from './rules/groups.ts';

const FILES = fileURLToPath(new URL('../../helm/enc-node/files/', import.meta.url));
const NOTE = '# Written by `npm run observability` from deploy/observability/rules: change it there.\n';

const wanted = new Map<string, string>();
for (const page of PAGES)
  wanted.set(join('dashboards', `${page.uid}.json`), `${JSON.stringify(build(page), null, 2)}\n`);
for (const [name, rules] of Object.entries(RULE_FILES))
  wanted.set(
    join('rules', `enc-${name}.yaml`),
    `${NOTE}${stringify(rules, { lineWidth: 0, aliasDuplicateObjects: false })}`,
  );

const readOr = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

const check = process.argv.includes('--check');
const wrong = [...wanted].filter(([name, text]) => readOr(join(FILES, name)) !== text).map(([name]) => name);
for (const folder of ['dashboards', 'rules']) {
  mkdirSync(join(FILES, folder), { recursive: true });
  for (const name of readdirSync(join(FILES, folder)))
    if (!wanted.has(join(folder, name))) wrong.push(join(folder, name));
}
if (!check)
  for (const name of wrong) {
    const text = wanted.get(name);
    if (text === undefined) rmSync(join(FILES, name));
    else writeFileSync(join(FILES, name), text);
  }
for (const name of wrong)
  console.log(`helm/enc-node/files/${name} ${check ? 'is not what its source says' : 'written'}`);
console.log(`${wanted.size} files, ${wrong.length} ${check ? 'wrong: run npm run observability' : 'written'}`);
process.exit(check && wrong.length > 0 ? 1 : 0);
