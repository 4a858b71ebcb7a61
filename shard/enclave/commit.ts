import type { CommitTrace } from './commit-trace.ts';

/** The answer to one commit: `code` 0 and a Receipt, or an error number of protocol/errors and its body (JSON bytes). */
export type Reply = (code: number, body: Uint8Array) => void;

/** One inspected commit on its way through an enclave. One object per commit; no promises. */
export interface PendingCommit {
  /** inspected commit, kernel/kernel.ts */
  readonly ic: Uint8Array;
  /** STAGE_* bits; the verdict on the signature is added before it is staged */
  flags: number;
  readonly reply: Reply;
  /** performance.now() when it came in */
  readonly arrived: number;
  /** null: it is not traced */
  readonly trace: CommitTrace | null;
}

/** Called once for each batch that is released or dropped. `error` is 0 or an error number. */
export type Waiter = (error: number) => void;
