/**
 * Hands over to a TypeScript entry: installs what is missing, picks a Node that runs TypeScript (22.18 or later), and
 * passes arguments, standard streams, signals and the exit code through. Plain JavaScript that runs on Node 18.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { endWithStarter } from './starter.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MODULES = join(ROOT, 'node_modules');
/** Holds the sha256 of the lock that node_modules was last found to satisfy. */
const STAMP = join(MODULES, '.enc-lock');

function readOr(path, otherwise) {
  try {
    return readFileSync(path);
  } catch {
    return otherwise;
  }
}

/** True if what npm says it installed has every package of the lock, in its version (so after `npm install x` too). */
function satisfied(lock) {
  const hidden = readOr(join(MODULES, '.package-lock.json'), null);
  if (!hidden) return false;
  const installed = JSON.parse(hidden).packages;
  return Object.entries(JSON.parse(lock).packages).every(([path, wanted]) => {
    if (path === '') return true;
    return installed[path] ? installed[path].version === wanted.version : wanted.optional === true;
  });
}

function npm(args) {
  const cli = process.env.npm_execpath;
  const options = { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] };
  const done = cli?.endsWith('npm-cli.js')
    ? spawnSync(process.env.npm_node_execpath ?? process.execPath, [cli, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (done.status !== 0) {
    console.error(`npm ${args[0]} failed; see above. Install by hand (npm ci) and start again.`);
    process.exit(1);
  }
}

function install() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  if (String(readOr(STAMP, '')) === hash) return;
  if (!satisfied(lock)) {
    console.error('installing dependencies (npm ci) …');
    npm(['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  writeFileSync(STAMP, hash);
}

function runsTypeScript() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** The Node of the `node` package. An npm that was told to skip install scripts leaves it out: then it is fetched here. */
function bundledNode() {
  const node = join(MODULES, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(node)) {
    const folder = join(MODULES, 'node');
    if (existsSync(folder)) spawnSync(process.execPath, ['installArchSpecificPackage.js'], { cwd: folder });
    if (!existsSync(node)) {
      console.error(
        'This needs Node 22.18 or later, or the npm package `node`: run `npm ci` with install scripts allowed.',
      );
      process.exit(1);
    }
  }
  return node;
}

/** The stores are read through memory maps: damage inside of them may end the process in a place that can't say so. */
const NODE = 'shard/main.ts';
/** What V8 is told of each entry's heap (docs/operate.md says why). */
const ARGS = JSON.parse(readFileSync(join(ROOT, 'bin', 'node-args.json'), 'utf8'));
const CRASHES = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL']);
const crashed = (signal) =>
  `enc-node: the process was ended by ${signal}. If that comes back at every start, data.mdb in log/, guard/ or ` +
  'keys/enclaves/ is damaged: nothing is served from it. docs/operate.md (Damaged files) says what to do.';

/** Runs `entry` (a path in this project) with `args`. Does not return: the process ends as the entry does. */
export async function launch(entry, args) {
  endWithStarter();
  install();
  const file = join(ROOT, entry);
  if (!existsSync(file)) {
    console.error(`${entry} is not part of this version.`);
    process.exit(1);
  }
  const flags = ARGS[entry] ?? [];
  if (runsTypeScript() && flags.length === 0) {
    process.argv = [process.execPath, file, ...args];
    await import(pathToFileURL(file).href);
    return;
  }
  // The channel says nothing; it breaks when this process is killed, and a node ends with it (shard/main.ts).
  const node = runsTypeScript() ? process.execPath : bundledNode();
  // What was compiled for the last start is not compiled again: half of the time until a node listens.
  const cache = flags.length > 0 ? { NODE_COMPILE_CACHE: join(MODULES, '.cache', 'compiled') } : {};
  const child = spawn(node, [...process.execArgv, ...flags, file, ...args], {
    env: { ...cache, ...process.env },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // A terminal sends Ctrl-C to the child itself; a second copy would read as "stop at once".
  const forwarded = process.stdin.isTTY ? ['SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];
  if (process.stdin.isTTY) process.on('SIGINT', () => {});
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (entry === NODE && CRASHES.has(signal)) console.error(crashed(signal));
    process.exit(signal ? 128 + constants.signals[signal] : code);
  });
}
