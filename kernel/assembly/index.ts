/**
 * What enc-core.wasm exports. The same module is the process-wide inspector and the kernel of one enclave (PROTOCOL §11):
 * kernel/wasm-inspector.ts and kernel/wasm-kernel.ts wrap the two halves; kernel/wasm-exports.ts says how the second is
 * called.
 */
export { input, outLen, outPtr } from './input';
export { inspect, inspected, PATH_ENCLAVE } from './inspect';
export { receipt } from './receipt';
export { atBoundary, create, detailLen, detailPtr, dueAt, leaves, stagedSeq, stateHash, status, timestamp } from './enclave';
export { begin, closeBundle, end, endedLength, isOpen, stage } from './stage';
export { head, seal } from './seal';
export { dropFolded, failedSeq, fold, foldClosing, replay, takeFolded } from './replay';
export { exportBase, exportRecents, loadBase, loadRecents } from './checkpoint';
export { read } from './read';
export { openQuery, select } from './select';
