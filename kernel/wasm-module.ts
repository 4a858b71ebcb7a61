import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** enc-core.wasm, compiled once a process: it serves the inspector and every enclave's kernel. */
let compiled: Promise<WebAssembly.Module> | undefined;

/** The module; reads the file that `npm run build:wasm` made. Rejects if it is missing or not WebAssembly. */
export function loadWasmModule(): Promise<WebAssembly.Module> {
  compiled ??= readFile(new URL('enc-core.wasm', import.meta.url)).then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}

/** sha256 of the module's file, hex: what `GET /` says and the pin must equal. */
export async function wasmSha256(): Promise<string> {
  const bytes = await readFile(new URL('enc-core.wasm', import.meta.url));
  return createHash('sha256').update(bytes).digest('hex');
}
