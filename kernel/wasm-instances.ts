import type { KernelExports } from './wasm-exports.ts';
import { WasmMemory } from './wasm-memory.ts';

/** What an instance imports (PROTOCOL §11): pointers are into its memory. */
export interface WasmImports {
  signSeq(hash: number, sig: number): number;
  verify(alg: number, pub: number, hash: number, sig: number): number;
  eventMeta(id: number, out: number): number;
}

/** An instance of enc-core.wasm that serves one kernel after another, one at a time. */
export interface WasmInstance {
  readonly exports: KernelExports;
  readonly memory: WasmMemory;
  /** the kernel that it serves */
  imports: WasmImports;
}

/** Instances that may wait for their next kernel: of two pages each, 32 MiB. */
const MAX_SPARE = 256;

const NOBODY: WasmImports = { signSeq: () => -1, verify: () => 0, eventMeta: () => 0 };

/**
 * Makes instances, and takes them back. A new one costs half a millisecond (address space, page faults, a collection in
 * the end); one that was used before is told apart from it by nothing once `reset` has put its variables back and its
 * memory has been overwritten, all of it, with what a new one holds.
 */
export class WasmInstances {
  readonly #module: WebAssembly.Module;
  readonly #spare: WasmInstance[] = [];
  /** memory of an instance that nobody has called yet */
  readonly #fresh: Uint8Array;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
    const first = this.#make();
    this.#fresh = first.memory.bytes.slice();
    this.#spare.push(first);
  }

  take(imports: WasmImports): WasmInstance {
    const instance = this.#spare.pop() ?? this.#make();
    instance.imports = imports;
    return instance;
  }

  /** The caller holds no view into it any more. One that has grown is left to the collector: memory does not shrink. */
  giveBack(instance: WasmInstance): void {
    instance.imports = NOBODY;
    if (this.#spare.length >= MAX_SPARE || instance.memory.size !== this.#fresh.length) return;
    instance.memory.put(0, this.#fresh);
    instance.exports.reset();
    this.#spare.push(instance);
  }

  #make(): WasmInstance {
    const host = {
      host_sign_seq: (hash: number, sig: number): number => made.imports.signSeq(hash, sig),
      host_verify: (alg: number, pub: number, hash: number, sig: number): number =>
        made.imports.verify(alg, pub, hash, sig),
      host_event_meta: (id: number, out: number): number => made.imports.eventMeta(id, out),
    };
    const exports = new WebAssembly.Instance(this.#module, { host }).exports as unknown as KernelExports;
    const made: WasmInstance = { exports, memory: new WasmMemory(exports.memory), imports: NOBODY };
    return made;
  }
}
