import { getI64, setI64 } from '../../protocol/records.ts';

/** The calls of the public API as they travel on the link: code of a REQUEST. */
export const OP_POST = 1;
export const OP_INCLUSION = 2;
export const OP_BUNDLE = 3;
export const OP_STATE = 4;
export const OP_STATE_BATCH = 5;
export const OP_STH = 6;
export const OP_CONSISTENCY = 7; // arguments: i64 from, i64 to (−1 = absent)
export const OP_RECEIPT = 8; // arguments: bytes32 hash, bytes64 sig
export const OP_CLOSE_BUNDLE = 9;
export const OP_INIT_WITH_PRIV = 10;
export const OP_SNAPSHOT = 11;
export const OP_RESTORE = 12; // arguments: bytes32 sequencer that the caller expects, or nothing; the file is a stream
export const OP_RECOVER = 13;

/** What each of them is called in traces. */
export const OP_NAMES: readonly string[] = [
  '',
  'post',
  'inclusion',
  'bundle',
  'state',
  'state-batch',
  'sth',
  'consistency',
  'receipt',
  'close-bundle',
  'init-with-priv',
  'snapshot',
  'restore',
  'recover',
];

/** Ops by the mode in which the inspector reads their body (protocol/layout.ts). */
export const OP_OF_MODE = {
  post: OP_POST,
  inclusion: OP_INCLUSION,
  bundle: OP_BUNDLE,
  state: OP_STATE,
  'state-batch': OP_STATE_BATCH,
} as const;

export type BodyMode = keyof typeof OP_OF_MODE;

/** Modes by op, for those that have one. */
export const MODE_OF_OP: readonly (BodyMode | undefined)[] = [
  undefined,
  'post',
  'inclusion',
  'bundle',
  'state',
  'state-batch',
];

/** Does the call bring a file that is streamed? */
export const isUpload = (op: number): boolean => op === OP_RESTORE || op === OP_RECOVER;

export function consistencyArguments(from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  setI64(view, 0, from);
  setI64(view, 8, to);
  return bytes;
}

/** Both −1 if the bytes are too few. */
export function readConsistency(bytes: Uint8Array): { from: number; to: number } {
  if (bytes.length < 16) return { from: -1, to: -1 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { from: getI64(view, 0), to: getI64(view, 8) };
}
