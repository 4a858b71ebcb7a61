import { createReferenceInspector } from '../../kernel/reference/inspector.ts';
import { createReferenceKernel } from '../../kernel/reference/kernel.ts';
import { createWasmInspector } from '../../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../../kernel/wasm-kernel.ts';
import { loadWasmModule } from '../../kernel/wasm-module.ts';
import type { Runtime } from './pair.ts';

export const reference: Runtime = {
  name: 'reference',
  inspector: createReferenceInspector,
  kernel: createReferenceKernel,
};

export async function wasm(): Promise<Runtime> {
  const module = await loadWasmModule();
  return {
    name: 'wasm',
    inspector: (limits) => createWasmInspector(module, limits),
    kernel: (host) => createWasmKernel(module, host),
  };
}
