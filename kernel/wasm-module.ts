import { readFile } from 'node:fs/promises';

/** enc-core.wasm, compiled once a process: it serves the inspector and every enclave's kernel. */
let compiled: Promise<WebAssembly.Module> | undefined;

/** The module; reads the file that `npm run build:wasm` made. Rejects if it is missing or not WebAssembly. */
export function loadWasmModule(): Promise<WebAssembly.Module> {
  compiled ??= readFile(new URL('enc-core.wasm', import.meta.url)).then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}
