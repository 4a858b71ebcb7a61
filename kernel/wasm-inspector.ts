import type { Inspection, InspectMode, Inspector, Limits } from './kernel.ts';
import { WasmMemory } from './wasm-memory.ts';

interface InspectorExports {
  readonly memory: WebAssembly.Memory;
  readonly PATH_ENCLAVE: WebAssembly.Global<'i32'>;
  input(length: number): number;
  outPtr(): number;
  outLen(): number;
  inspect(length: number, mode: number, hasEnclave: number, maxCommit: number, maxArray: number): number;
  inspected(): number;
  receipt(): void;
}

const MODES: Readonly<Record<InspectMode, number>> = {
  post: 0,
  snapshot: 1,
  inclusion: 2,
  bundle: 3,
  state: 4,
  'state-batch': 5,
};
const KINDS = ['error', 'commit', 'array', 'request'] as const;

/** An instance that only inspects has no key and no log to ask. */
const NO_HOST = {
  host: { host_sign_seq: (): number => -1, host_verify: (): number => 0, host_event_meta: (): number => 0 },
};

/** The inspector on an instance of its own; one serves a process. Limits are those of the node. */
export function createWasmInspector(module: WebAssembly.Module, limits: Limits): Inspector {
  const wasm = new WebAssembly.Instance(module, NO_HOST).exports as unknown as InspectorExports;
  const memory = new WasmMemory(wasm.memory);
  const pathEnclave = wasm.PATH_ENCLAVE.value;
  return {
    inspect(body: Uint8Array, mode: InspectMode, enclave?: Uint8Array): Inspection {
      const at = wasm.input(body.length);
      memory.put(at, body);
      if (enclave !== undefined) memory.put(pathEnclave, enclave);
      const result = wasm.inspect(
        body.length,
        MODES[mode],
        enclave === undefined ? 0 : 1,
        limits.maxCommit,
        limits.maxArray,
      );
      const bytes = memory.passing(wasm.outPtr(), wasm.outLen());
      return { kind: KINDS[result & 0xff] as Inspection['kind'], code: result >>> 8, bytes, count: wasm.inspected() };
    },
    receipt(enclave: Uint8Array, record: Uint8Array): Uint8Array {
      memory.put(wasm.input(record.length), record);
      memory.put(pathEnclave, enclave);
      wasm.receipt();
      return memory.passing(wasm.outPtr(), wasm.outLen());
    },
  };
}
