/**
 * Keeps package-lock.json installable everywhere: no `resolved` addresses (the reader's own registry serves), and an
 * entry for every platform package that an optional dependency names, also where the registry that the lock was made
 * with does not carry it (without one `npm ci` refuses the lock). Run after every change of dependencies.
 *
 *   node scripts/lock.mjs [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../package-lock.json', import.meta.url);
const OSES = ['android', 'darwin', 'freebsd', 'linux', 'openbsd', 'openharmony', 'win32'];
const CPUS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Where npm would find `name` when `from` (a path of the lock) asks for it. */
function resolve(packages, from, name) {
  for (let folder = from; ; ) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[path]) return path;
    if (folder === '') return null;
    folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '');
  }
}

/** os, cpu and libc out of a name such as `@x/binding-linux-arm64-musl`; null if it names no platform. */
function platform(name) {
  const parts = name.split(/[-/]/);
  const os = OSES.find((o) => parts.includes(o));
  const cpu = CPUS.find((c) => parts.includes(c));
  if (!os || !cpu) return null;
  const libc = parts.includes('musl') ? ['musl'] : parts.includes('gnu') ? ['glibc'] : undefined;
  return { cpu: [cpu], ...(libc && { libc }), os: [os] };
}

const before = readFileSync(FILE, 'utf8');
const lock = JSON.parse(before);
for (const [path, entry] of Object.entries(lock.packages)) {
  delete entry.resolved;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const target = platform(name);
    if (!target || resolve(lock.packages, path, name)) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: target.cpu,
      ...(entry.dev && { dev: true }),
      ...(target.libc && { libc: target.libc }),
      optional: true,
      os: target.os,
    };
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
const after = `${JSON.stringify(lock, null, 2)}\n`;
if (process.argv.includes('--check')) {
  if (before !== after) {
    console.error('package-lock.json: run `node scripts/lock.mjs`');
    process.exit(1);
  }
} else if (before !== after) writeFileSync(FILE, after);
