/**
 * Bundles lib/protocol.ts with all that it imports into lib/protocol.js, the one file of the k6 scripts that is generated.
 *
 *   node bench/k6/build.ts            writes it
 *   node bench/k6/build.ts --check    exits 1 if the file is not what the sources give
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILE = fileURLToPath(new URL('lib/protocol.js', import.meta.url));
const BANNER = '// Made by `node bench/k6/build.ts` out of protocol.ts: do not edit.';

const { outputFiles } = await build({
  absWorkingDir: ROOT,
  entryPoints: ['bench/k6/lib/protocol.ts'],
  bundle: true,
  write: false,
  format: 'esm',
  // Sobek knows BigInt and ES2020; classes get no newer syntax than that.
  target: 'es2020',
  charset: 'utf8',
  legalComments: 'inline',
  banner: { js: BANNER },
  logLevel: 'silent',
});
const made = outputFiles[0]?.text ?? '';
if (!process.argv.includes('--check')) writeFileSync(FILE, made);
else if (!existsSync(FILE) || readFileSync(FILE, 'utf8') !== made) {
  console.error('bench/k6/lib/protocol.js is not what its sources give: run `node bench/k6/build.ts`');
  process.exit(1);
}
