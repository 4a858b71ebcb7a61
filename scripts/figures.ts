/**
 * Figures quoted in pages against the JSON that produced them. A page marks a figure, in any Markdown file:
 *
 *   … costs <!-- figure bench/results/commit.json 0.cost_us 1 -->74.3<!-- /figure --> µs …
 *
 * The marker names a JSON file (path from the project's root), a path into it (keys and indexes joined by dots; a key
 * of an array of objects that have a `name` may be that name) and, for a number, how many decimals are quoted.
 *
 *   node scripts/figures.ts            writes the values between the markers
 *   node scripts/figures.ts --check    exits 1 if a page says something else
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MARKER = /(<!-- figure (\S+) (\S+?)(?: (\d+))? -->)(.*?)(<!-- \/figure -->)/gs;
const OPENING = /<!-- figure /g;

/** The value at `path` in `json`; throws with the name of the page's marker if there is none. */
function lookUp(json: unknown, path: string, where: string): unknown {
  let value = json;
  for (const key of path.split('.')) {
    if (Array.isArray(value) && !/^\d+$/.test(key)) value = value.find((item) => item?.name === key);
    else if (typeof value === 'object' && value !== null) value = (value as Record<string, unknown>)[key];
    else value = undefined;
    if (value === undefined) throw new Error(`${where}: nothing at ${path}`);
  }
  return value;
}

function quoted(value: unknown, decimals: string | undefined): string {
  if (typeof value === 'number' && decimals !== undefined) {
    const [whole, fraction] = value.toFixed(Number(decimals)).split('.');
    const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, ',');
    return fraction === undefined ? grouped : `${grouped}.${fraction}`;
  }
  return String(value);
}

/** `text` with every figure as its JSON has it. */
function refresh(text: string, page: string): string {
  let markers = 0;
  const fresh = text.replace(MARKER, (_all, open, file, path, decimals, _old, close) => {
    markers++;
    const json = JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
    return open + quoted(lookUp(json, path, `${page}: ${file}`), decimals) + close;
  });
  if (markers !== (text.match(OPENING)?.length ?? 0))
    throw new Error(`${page}: a figure marker that is not well formed`);
  return fresh;
}

const check = process.argv.includes('--check');
const pages = globSync(['*.md', 'docs/**/*.md', 'bench/**/*.md', 'deploy/**/*.md'], { cwd: ROOT });
const stale: string[] = [];
for (const page of pages) {
  const file = join(ROOT, page);
  const text = readFileSync(file, 'utf8');
  const fresh = refresh(text, page);
  if (fresh === text) continue;
  stale.push(page);
  if (!check) writeFileSync(file, fresh);
}
if (check && stale.length > 0) {
  console.error(`figures differ from their JSON in ${stale.join(', ')}: run \`node scripts/figures.ts\``);
  process.exit(1);
}
