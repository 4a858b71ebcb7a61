import type { Head, SealedBatch } from '../../kernel/kernel.ts';
import type { BatchTrace } from './batch-trace.ts';
import type { PendingCommit, Waiter } from './commit.ts';

/** A kernel's state at a bundle boundary. */
export interface Exported {
  readonly base: Uint8Array;
  readonly recent: Uint8Array;
  readonly recentFrom: number;
}

/** A batch between stage and release: who waits for it, and how far it has come. */
export interface InFlight {
  /** accepted commits, in the order of their events */
  readonly accepted: PendingCommit[];
  /** retries of commits in this or an earlier unreleased batch, or refused commits: answered at release */
  readonly duplicates: { commit: PendingCommit; seq: number }[];
  readonly refused: { commit: PendingCommit; code: number; detail: string }[];
  /** reads and admin calls that saw the state after this batch */
  readonly waiters: Waiter[];
  /** ids of the events that this batch deletes (see Append.deletes) */
  readonly deletes: Uint8Array[];
  /** state as staged, for the due-index */
  dueAt: number;
  /** take a checkpoint as soon as it is sealed: nothing is staged behind it */
  checkpoint: boolean;
  signatures: Uint8Array | null;
  sealed: SealedBatch | null;
  /** head before this batch */
  from: Head | null;
  /** durable in log and guard, or nothing to append */
  done: boolean;
  /** exported at the boundary, written once the batch is released */
  exported: Exported | null;
  readonly stagedAt: number;
  appendedAt: number;
  /** null: none of its commits is traced */
  trace: BatchTrace | null;
}

export const emptyBatch = (): InFlight => ({
  accepted: [],
  duplicates: [],
  refused: [],
  waiters: [],
  deletes: [],
  dueAt: 0,
  checkpoint: false,
  signatures: null,
  sealed: null,
  from: null,
  done: false,
  exported: null,
  stagedAt: performance.now(),
  appendedAt: 0,
  trace: null,
});

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
