import type { Head, SealedBatch } from '../../kernel/kernel.ts';
import type { PendingCommit, Waiter } from './commit.ts';

/** A kernel's state at a bundle boundary. */
export interface Exported {
  readonly base: Uint8Array;
  readonly recent: Uint8Array;
  readonly recentFrom: number;
}

/** A batch between stage and release: who waits for it, and how far it has come. */
export interface InFlight {
  /** seq of the first event staged in it (also when it has none: the seq that would come next) */
  readonly firstSeq: number;
  /** accepted commits; the i-th has seq firstSeq + i */
  readonly accepted: PendingCommit[];
  /** retries of commits in this or an earlier unreleased batch, or refused commits: answered at release */
  readonly duplicates: { commit: PendingCommit; seq: number }[];
  readonly refused: { commit: PendingCommit; code: number; detail: string }[];
  /** reads and admin calls that saw the state after this batch */
  readonly waiters: Waiter[];
  /** ids of the events that this batch deletes (see Append.deletes) */
  readonly deletes: Uint8Array[];
  /** state as staged, for the due-index */
  readonly dueAt: number;
  /** take a checkpoint as soon as it is sealed: nothing is staged behind it */
  readonly checkpoint: boolean;
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
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export const sameHead = (a: Head, b: Head): boolean =>
  a.seq === b.seq && a.bundles === b.bundles && sameBytes(a.chain, b.chain) && sameBytes(a.ctRoot, b.ctRoot);
