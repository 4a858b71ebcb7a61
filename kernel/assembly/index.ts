/**
 * What enc-core.wasm exports. The same module is the process-wide inspector and the kernel of one enclave (PROTOCOL §11);
 * kernel/wasm-inspector.ts and kernel/wasm.ts wrap the two halves.
 */
export { input, outLen, outPtr } from './input';
export { inspect, inspected, PATH_ENCLAVE } from './inspect';
export { receipt } from './receipt';
