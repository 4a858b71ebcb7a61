/**
 * One version, said in one voice: every place that names the version or the kernel's sha256 agrees with package.json and
 * kernel/enc-core.sha256, and CHANGELOG.md has an entry for the version.
 *
 *   node scripts/release.ts --check      exits 1 and says which place differs
 *   node scripts/release.ts 0.2.0        makes it so: writes that version everywhere, dates the entry of what is unreleased
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SEMVER = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** What stands at each match of `at`, in its one group. */
interface Place {
  readonly file: string;
  readonly what: 'version' | 'kernel';
  readonly at: RegExp;
}

const PLACES: readonly Place[] = [
  { file: 'package.json', what: 'version', at: /^ {2}"version": "([^"]*)"/gm },
  {
    file: 'package-lock.json',
    what: 'version',
    at: /^(?: {2}|(?<="": \{\n\s+"name": "enc-node",\n) {6})"version": "([^"]*)"/gm,
  },
  { file: 'helm/enc-node/Chart.yaml', what: 'version', at: /^(?:version|appVersion): "?([^"\n]*)"?$/gm },
  { file: 'Dockerfile', what: 'version', at: /^ARG VERSION=(.*)$/gm },
  { file: 'Dockerfile', what: 'kernel', at: /^ARG KERNEL_SHA256=(.*)$/gm },
];
const ENTRY = /^## \[(?!Unreleased)([^\]]+)\]/m;

const path = (file: string): string => join(ROOT, file);
const read = (file: string): string => readFileSync(path(file), 'utf8');

/** The places of which the files are there, each with what it must say. */
function places(version: string): (Place & { readonly wanted: string })[] {
  const wanted = { version, kernel: read('kernel/enc-core.sha256').slice(0, 64) };
  return PLACES.filter(({ file }) => existsSync(path(file))).map((place) => ({ ...place, wanted: wanted[place.what] }));
}

function put(all: string, said: string, wanted: string): string {
  const start = all.lastIndexOf(said);
  return all.slice(0, start) + wanted + all.slice(start + said.length);
}

function check(): string[] {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const faults = places(version).flatMap(({ file, what, at, wanted }) => {
    const said = [...read(file).matchAll(at)].map(([, value]) => value as string);
    if (said.length === 0) return [`${file} does not say its ${what}`];
    return said.filter((value) => value !== wanted).map((value) => `${file} says ${what} ${value}, not ${wanted}`);
  });
  const newest = ENTRY.exec(read('CHANGELOG.md'))?.[1];
  return newest === version ? faults : [...faults, `CHANGELOG.md has ${newest} as its newest entry, not ${version}`];
}

function write(version: string): void {
  for (const { file, at, wanted } of places(version))
    writeFileSync(
      path(file),
      read(file).replace(at, (all, said: string) => put(all, said, wanted)),
    );
  const log = read('CHANGELOG.md');
  if (ENTRY.exec(log)?.[1] === version) return;
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(
    path('CHANGELOG.md'),
    log.replace('## [Unreleased]\n', `## [Unreleased]\n\n## [${version}] - ${today}\n`),
  );
}

const [given] = process.argv.slice(2);
if (given !== '--check') {
  if (given === undefined || !SEMVER.test(given)) {
    console.error('usage: node scripts/release.ts --check | VERSION');
    process.exit(2);
  }
  write(given);
}
const faults = check();
if (faults.length > 0) {
  console.error(`${faults.join('\n')}\nrun \`node scripts/release.ts VERSION\``);
  process.exit(1);
}
