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

export interface NewCheckpoint {
  readonly head: Head;
  readonly base: Uint8Array;
  /** Kernel.exportRecents(recentFrom) */
  readonly recent: Uint8Array;
  /** head seq of the previous checkpoint + 1, or 0: a gap would let a commit in twice */
  readonly recentFrom: number;
  /** latest exp in `recent`, 0 if it is empty */
  readonly recentMaxExp: number;
  /** timestamp of the last event */
  readonly timestamp: number;
}

export interface Opened {
  readonly epoch: Epoch;
  readonly head: Head;
  readonly checkpoint: Checkpoint | null;
  /** timestamp of the last event, −1 if there is none */
  readonly timestamp: number;
  /** what it takes up, as Usage.bytes */
  readonly bytes: number;
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

export interface StoredEvent {
  readonly record: Uint8Array;
  readonly content: Uint8Array;
}

export interface Usage {
  readonly events: number;
  /** skeletons and contents as written, with their row headers */
  readonly bytes: number;
}

/**
 * A filter as the indexes see it. Lists are alternatives, fields are joined by and; an absent field matches all.
 * What comes out is a superset (prefixes of hashes are compared): the kernel's `select` decides.
 */
export interface CandidatePlan {
  /** seqs, inclusive; cut to what exists when iteration begins */
  readonly from: number;
  readonly to: number;
  readonly reverse: boolean;
  readonly ids?: readonly Uint8Array[];
  readonly seqs?: readonly number[];
  readonly types?: readonly string[];
  readonly froms?: readonly Uint8Array[];
  readonly targets?: readonly Uint8Array[];
  /** values null: any value of that tag */
  readonly tags?: readonly { readonly name: string; readonly values: readonly string[] | null }[];
}

export interface EnclaveLog {
  /** id of the release guard this log belongs to; null in a new log */
  guardId(): Promise<Uint8Array | null>;
  adoptGuard(id: Uint8Array): Promise<void>;

  /**
   * Takes ownership: raises the epoch, durably, and reads what is there. A new log has head seq −1. `recovering`: so does
   * one whose head does not check (else LogDamaged is thrown); replaceTail from the empty head then clears what is left.
   */
  open(key: LogKey, owner: Uint8Array, recovering?: boolean): Promise<Opened>;
  /** Queues an append; those queued meanwhile share one sync. Order per key is kept. */
  append(append: Append): void;

  /** Who may append, as it is now and without taking ownership; null if there is no such log. An owner that asks learns
   *  whether it has been fenced. Rejects when the store can't be reached. */
  owner(key: LogKey): Promise<Epoch | null>;
  /** Head without taking ownership; null if there is no such log. */
  head(key: LogKey): Promise<Head | null>;
  /**
   * Batches from the one that holds event `from` on (it may begin earlier), in order, until about `maxBytes` have been
   * read (at least one). Closings belong to the event they stand behind: those behind event from−1 are left out, and
   * batches with events 0 (closings only) always come together with the batch before them. So the next page begins
   * at last.firstSeq + last.events, and an empty page is the end. Throws LogDamaged.
   */
  read(key: LogKey, from: number, maxBytes: number): Promise<Batch[]>;
  /** seq of the event with this id / of the accepted commit with this hash, −1 if none. Both verified against the record. */
  findId(key: LogKey, id: Uint8Array): Promise<number>;
  findHash(key: LogKey, hash: Uint8Array): Promise<number>;
  /** Closing record by CT leaf index, or of the bundle that holds seq; null if not closed. */
  closing(key: LogKey, index: number): Promise<Uint8Array | null>;
  closingOf(key: LogKey, seq: number): Promise<Uint8Array | null>;
  /** CT node (perfect subtree) at (level, index). */
  node(key: LogKey, level: number, index: number): Promise<Uint8Array | null>;

  /** Stores a checkpoint; the last two are kept. Rejects with LogUnavailable when fenced or unknown, and with
   *  CheckpointGap when its recents do not follow on those that are stored (then pass all of them, recentFrom 0). */
  checkpoint(key: LogKey, epoch: Epoch, checkpoint: NewCheckpoint): Promise<void>;
  /** Bundles that are in the archive, verified, with all Deletes in them carried out there: its cursor (archive/archiver.ts).
   *  0 if it is lost, and at most `keep.bundles` after a replaceTail. */
  archived(key: LogKey): Promise<number>;
  /** Moves that cursor if it is still `from`, whoever asks; 'ok' when it is durable, 'fenced' if it is another one, or the
   *  log has fewer than `to` closed bundles. */
  moveArchived(key: LogKey, from: number, to: number): Promise<AppendResult>;
  /** Resolves when every journaled erasure (Append.deletes) has been carried out. */
  erased(): Promise<void>;
  /** The enclave has been evicted: forget what is cached about it. */
  release(key: LogKey): void;
  /** Recovery (`enc admin recover`): replaces everything behind head `keep`, which must be one the log passed through, by
   *  these batches, in one write under this epoch. `timestamp`: of the last event then. Contents of what goes are erased,
   *  and so are those that Deletes in the batches name. 'fenced' also when the log never had head `keep`; throws when
   *  the batches do not lead from `keep` to `head`. */
  replaceTail(
    key: LogKey,
    epoch: Epoch,
    keep: Head,
    batches: readonly Batch[],
    head: Head,
    timestamp: number,
    dueAt: number,
  ): Promise<AppendResult>;
  /**
   * Drops the batches of events before `upto` that it can drop whole: they are in the archive, and reads of them go there
   * from now on. The caller sees to ARCHITECTURE §3's bound: verified archive, watermark, checkpoint, delivery cursors. A
   * log that has room enough may keep them. Returns the first seq that is left. Rejects with LogUnavailable when fenced or
   * unknown.
   */
  trim(key: LogKey, epoch: Epoch, upto: number): Promise<number>;
  /** Event record and content (empty if erased) at `seq`, null behind the head. Views may share a cached batch: don't write. */
  record(key: LogKey, seq: number): Promise<StoredEvent | null>;
  /** The same if it can be had without waiting, else null. */
  recordNow(key: LogKey, seq: number): StoredEvent | null;
  /** Seqs whose events may match the plan, in order. Yields −1 for a step of a long search that has found nothing yet, so
   *  that no step takes longer than some milliseconds, and a promise where the store has to be asked: await it before
   *  the next step; it rejects as a read does. The caller may pause between any two, however long. */
  candidates(key: LogKey, plan: CandidatePlan): Iterable<number | Promise<unknown>>;
  /** First seq whose timestamp is ≥ `time` (head seq + 1 if none). Timestamps never decrease. */
  seqAtTime(key: LogKey, time: number): Promise<number>;
  /** What the enclave takes up; null if there is none. */
  usage(key: LogKey): Promise<Usage | null>;
  /** Enclaves whose open bundle is due at or before `until`, oldest first. */
  due(until: number, limit: number): Promise<{ key: LogKey; dueAt: number }[]>;
  list(after: LogKey | null, limit: number): Promise<LogKey[]>;
  close(): Promise<void>;
}
