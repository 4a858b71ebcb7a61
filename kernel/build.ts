/**
 * Builds the kernel: `npm run build:wasm`. The same sources and the same compiler (pinned in package-lock.json) give the
 * same bytes everywhere; `enc-core.wasm` is checked in beside its sha256, so that nobody needs to build to run. With
 * `--check` nothing is written: it builds into memory and fails when the bytes or the pin differ.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { main as compile } from 'assemblyscript/asc';
import { addReset } from './build-reset.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const WASM = 'enc-core.wasm';
const PIN = 'enc-core.sha256';

/** No runtime checks beyond WebAssembly's own, no garbage, two pages to begin with, memory that may grow to 4 GiB. */
const OPTIONS = [
  'assembly/index.ts',
  '--baseDir',
  folder,
  '--outFile',
  WASM,
  '-O3',
  '--noAssert',
  '--runtime',
  'minimal',
  '--use',
  'abort=',
  '--enable',
  'simd',
  '--initialMemory',
  '2',
];

async function build(): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  let messages = '';
  const { error } = await compile(OPTIONS, {
    transforms: [addReset],
    stderr: {
      write: (text: string | Uint8Array) => {
        messages += text;
      },
    },
    writeFile: (name: string, contents: string | Uint8Array) => {
      if (name === WASM && typeof contents !== 'string') wasm = contents;
    },
  });
  if (error || !wasm) throw new Error(`${messages}\n${error?.message ?? 'no output'}`);
  if (messages) process.stderr.write(messages);
  return wasm;
}

async function run(check: boolean): Promise<boolean> {
  const wasm = await build();
  const sha256 = createHash('sha256').update(wasm).digest('hex');
  const line = `${sha256}  ${WASM}\n`;
  let same = true;
  if (check) {
    const [stored, pin] = await Promise.all([readFile(folder + WASM), readFile(folder + PIN, 'utf8')]);
    same = stored.equals(wasm) && pin === line;
    if (!same) process.stderr.write(`${WASM} or its pin is not what the sources give: run npm run build:wasm\n`);
  } else {
    await Promise.all([writeFile(folder + WASM, wasm), writeFile(folder + PIN, line)]);
  }
  process.stdout.write(`${WASM} ${wasm.length} bytes\n${WASM} sha256 ${sha256}\n`);
  return same;
}

process.exitCode = (await run(process.argv.includes('--check'))) ? 0 : 1;
