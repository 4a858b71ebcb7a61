import type { Head } from '../../kernel/kernel.ts';

/**
 * The log of every enclave, as ARCHITECTURE §3 defines it: every append is one atomic conditional write
 * (enclave, lane, epoch, expected head) → records, new head. One conformance suite runs against every back end.
 */
export interface Epoch {
  readonly counter: number;
  /** 16 random bytes of the owner, so that two owners never hold equal epochs */
  readonly nonce: Uint8Array;
}

/** Which log: an enclave's lane (0 today). `enclave` is 32 raw bytes. */
export interface LogKey {
  readonly enclave: Uint8Array;
  readonly lane: number;
}

/** A batch as `Kernel.seal` makes it: what one append writes. */
export interface Batch {
  readonly firstSeq: number;
  readonly events: number;
  readonly closings: number;
  /** records (layout: kernel/kernel.ts), closings included; never erased */
  readonly skeleton: Uint8Array;
  /** contents of the events, one behind the other; erased ones have length 0 in their record */
  readonly content: Uint8Array;
}

export interface Checkpoint {
  /** head at which it was taken */
  readonly head: Head;
  readonly base: Uint8Array;
  /** unexpired commit hashes, oldest first (Kernel.exportRecents of each checkpoint since) */
  readonly recents: readonly Uint8Array[];
}

export interface Opened {
  readonly epoch: Epoch;
  readonly head: Head;
  readonly checkpoint: Checkpoint | null;
  /** timestamp of the last event, −1 if there is none */
  readonly timestamp: number;
}

export type AppendResult = 'ok' | 'fenced' | 'unknown';

export interface Append {
  readonly key: LogKey;
  readonly epoch: Epoch;
  readonly expected: Head;
  readonly next: Head;
  readonly batch: Batch;
  /** timestamp of the last event */
  readonly timestamp: number;
  /** ms when the open bundle is due, 0 if none is open: kept in the due-index */
  readonly dueAt: number;
  /** ids of events that this batch deletes: journaled in the same write; once it is durable the log erases the contents
   *  of each such event and of every Update of it (found by target) within the stated time, over crashes too */
  readonly deletes: readonly Uint8Array[];
  /** Called once, when the append is durable ('ok'), certainly refused ('fenced': another epoch or head), or 'unknown'
   *  (also disk full and every other failure). Never throws back. */
  readonly done: (result: AppendResult) => void;
}

export interface StoredClosing {
  readonly record: Uint8Array;
}

export interface EnclaveLog {
  /** id of the release guard this log belongs to; null in a new log */
  guardId(): Promise<Uint8Array | null>;
  adoptGuard(id: Uint8Array): Promise<void>;

  /** Takes ownership: raises the epoch, durably, and reads what is there. A new log has head seq −1. */
  open(key: LogKey, owner: Uint8Array): Promise<Opened>;
  /** Queues an append; those queued meanwhile share one sync. Order per key is kept. */
  append(append: Append): void;

  /** Head without taking ownership; null if there is no such log. */
  head(key: LogKey): Promise<Head | null>;
  /** Batches that hold events or closings at or after seq `from` (the first may begin earlier), in order, until about
   *  `maxBytes` have been read; closings behind the last event are in its batch or in batches with events 0. */
  read(key: LogKey, from: number, maxBytes: number): Promise<Batch[]>;
  /** seq of the event with this id / of the accepted commit with this hash, −1 if none. Both verified against the record. */
  findId(key: LogKey, id: Uint8Array): Promise<number>;
  findHash(key: LogKey, hash: Uint8Array): Promise<number>;
  /** Closing record by CT leaf index, or of the bundle that holds seq; null if not closed. */
  closing(key: LogKey, index: number): Promise<Uint8Array | null>;
  closingOf(key: LogKey, seq: number): Promise<Uint8Array | null>;
  /** CT node (perfect subtree) at (level, index). */
  node(key: LogKey, level: number, index: number): Promise<Uint8Array | null>;

  checkpoint(key: LogKey, epoch: Epoch, checkpoint: { head: Head; base: Uint8Array; recent: Uint8Array; recentMaxExp: number; timestamp: number }): Promise<void>;
  /** Resolves when every journaled erasure (Append.deletes) has been carried out. */
  erased(): Promise<void>;
  /** The enclave has been evicted: forget what is cached about it. */
  release(key: LogKey): void;
  /** Recovery: replaces everything at or after seq `from` by these batches under this epoch (`enc admin recover`). */
  replaceTail(key: LogKey, epoch: Epoch, from: number, batches: readonly Batch[], head: Head, timestamp: number, dueAt: number): Promise<AppendResult>;
  /** Enclaves whose open bundle is due at or before `until`, oldest first. */
  due(until: number, limit: number): Promise<{ key: LogKey; dueAt: number }[]>;
  list(after: LogKey | null, limit: number): Promise<LogKey[]>;
  close(): Promise<void>;
}
