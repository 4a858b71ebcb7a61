import type { Head } from '../../../kernel/kernel.ts';
import { padded, writeInt } from '../bytes.ts';
import type { Append, AppendResult, Epoch } from '../enclave-log.ts';
import { writeHead } from '../head-bytes.ts';
import type { Row } from '../index-storage.ts';
import { writeEpoch } from './head-row.ts';
import type { RowSpan } from './row-arena.ts';

/**
 * What the main thread and the writer thread tell each other. A group of appends travels in one transferred buffer:
 *   0 u32 length of all   4 u32 skeleton length   8 u32 deletes   12 u32 content length
 *  16 enclave32, be32 lane (= key prefix), 52 u32 zero
 *  56 epoch (24 bytes), expected head (80): compared with the head row's bytes
 * 160 next head (80)   240 i64 timestamp   248 u64 due time   256 u64 first seq   264 u32 events   268 u32 zero
 * 272 skeleton, ids of the deletes (32 each), content, padding to 8
 */
export const PACKED_HEADER = 272;
export const PACKED_EXPECTED = 80;
export const PACKED_NEXT = 160;

export function packedSize(append: Append): number {
  const { skeleton, content } = append.batch;
  return PACKED_HEADER + padded(skeleton.length + 32 * append.deletes.length + content.length);
}

export function packAppend(append: Append, into: Buffer, at: number): number {
  const { key, batch, deletes } = append;
  const size = packedSize(append);
  const packed = into.subarray(at, at + size);
  packed.writeUInt32LE(size, 0);
  packed.writeUInt32LE(batch.skeleton.length, 4);
  packed.writeUInt32LE(deletes.length, 8);
  packed.writeUInt32LE(batch.content.length, 12);
  packed.set(key.enclave, 16);
  packed.writeUInt32BE(key.lane, 48);
  writeEpoch(packed, append.epoch, 56);
  writeHead(packed, append.expected, PACKED_EXPECTED);
  writeHead(packed, append.next, PACKED_NEXT);
  writeInt(packed, append.timestamp, 240);
  writeInt(packed, append.dueAt, 248);
  writeInt(packed, batch.firstSeq, 256);
  packed.writeUInt32LE(batch.events, 264);
  packed.set(batch.skeleton, PACKED_HEADER);
  let position = PACKED_HEADER + batch.skeleton.length;
  for (const id of deletes) {
    packed.set(id, position);
    position += 32;
  }
  packed.set(batch.content, position);
  return size;
}

export const CODE_OK = 0;
export const CODE_FENCED = 1;
export const CODE_UNKNOWN = 2;
export const RESULTS: readonly AppendResult[] = ['ok', 'fenced', 'unknown'];

/**
 * Operations that no append waits for, and that put rows which no append looks at: they go into LMDB with the journal's
 * rows, off the way of the groups. Prefixes are key prefixes (row-keys.ts).
 */
export type LaterOp =
  | {
      readonly kind: 'checkpoint';
      readonly prefix: Uint8Array;
      readonly epoch: Epoch;
      readonly seq: number;
      readonly put: readonly Row[];
      readonly remove: readonly Uint8Array[];
    }
  /** Index rows over events up to `lastSeq`; dropped if the log's tail was replaced meanwhile. */
  | {
      readonly kind: 'index';
      readonly prefix: Uint8Array;
      readonly generation: number;
      readonly lastSeq: number;
      readonly put: readonly Row[];
    }
  /** Moves the archive's cursor, if it is `from`, or `to` already. */
  | { readonly kind: 'archived'; readonly prefix: Uint8Array; readonly from: number; readonly to: number };

/** Operations that take their place among the appends; each is one step of the group's transaction. */
export type WriteOp =
  | { readonly kind: 'open'; readonly prefix: Uint8Array; readonly nonce: Uint8Array; readonly recovering: boolean }
  | { readonly kind: 'guard'; readonly id: Uint8Array }
  /** Marks these events erased and journals the bytes to overwrite; then the journal row `done` goes. */
  | {
      readonly kind: 'erase';
      readonly prefix: Uint8Array;
      readonly events: readonly { readonly seq: number; readonly id: Uint8Array }[];
      readonly done: Uint8Array;
    }
  /** Drops everything behind `keep`, then makes the packed appends under `epoch`. */
  | {
      readonly kind: 'replace';
      readonly prefix: Uint8Array;
      readonly epoch: Epoch;
      readonly keep: Head;
      readonly timestamp: number;
      readonly dueAt: number;
      readonly packed: Uint8Array;
      readonly appends: number;
    };

export interface WriteGroup {
  readonly kind: 'group';
  readonly packed: ArrayBuffer;
  readonly appends: number;
  readonly ops: readonly WriteOp[];
}

/** Answered by a LaterDone with its number. */
export interface LaterWrite {
  readonly kind: 'later';
  readonly number: number;
  readonly op: LaterOp;
}

export type ToWriter = WriteGroup | LaterWrite | { readonly kind: 'close' };

export interface WriterData {
  readonly folder: string;
  /** Int32 that holds the number of the last group whose rows are in LMDB (recent-rows.ts) */
  readonly applied: SharedArrayBuffer;
}

/** What became of a group. */
export interface GroupDone {
  readonly kind: 'done';
  /** of the appends, then of the ops */
  readonly codes: Uint8Array;
  /** groups are counted from 1, and from −2^31 on behind 2^31 − 1 */
  readonly group: number;
  /** rows that are durable in the journal and not in LMDB yet (journal-rows.ts); empty if LMDB has them */
  readonly rows: Uint8Array<ArrayBuffer>;
  /** says why codes are unknown */
  readonly error: string | null;
  /** nothing will be written any more */
  readonly fatal: boolean;
}

/** What became of LaterWrites. */
export interface LaterDone {
  readonly kind: 'later';
  readonly numbers: readonly number[];
  readonly codes: Uint8Array;
}

export type FromWriter =
  | { readonly kind: 'started'; readonly error: string | null }
  | GroupDone
  | LaterDone
  /** what is in the journal could not be put into LMDB; `fatal`: nothing will be written any more */
  | { readonly kind: 'failed'; readonly error: string; readonly fatal: boolean }
  /** the bytes of that many more 'ok' erase and replace operations are overwritten, durably */
  | { readonly kind: 'erased'; readonly ops: number }
  | { readonly kind: 'closed' };

/** Rows of the journal and operations for the thread that puts them into LMDB (applier-thread.ts), in one transaction. */
export interface ApplyJob {
  /** counted from 1 */
  readonly number: number;
  /** nothing is done if the folder has another owner */
  readonly owner: Uint8Array;
  readonly rows: readonly RowSpan[];
  readonly later: readonly LaterWrite[];
  /** LMDB has all that the journal says up to here */
  readonly file: number;
  readonly end: number;
}

export type ToApplier = ApplyJob | 'close';

export interface ApplierData {
  readonly folder: string;
  /** Int32: jobs up to this number are void, their rows and operations went into LMDB without them */
  readonly voided: SharedArrayBuffer;
}

/** What became of a job. */
export type Applied =
  | { readonly number: number; readonly result: 'done'; readonly codes: Uint8Array }
  | { readonly number: number; readonly result: 'void' | 'lost' }
  | { readonly number: number; readonly result: 'failed'; readonly error: string; readonly fatal: boolean };
