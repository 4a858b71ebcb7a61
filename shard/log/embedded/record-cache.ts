import { BatchCache } from '../batch-cache.ts';
import { readInt } from '../bytes.ts';
import type { LogKey, StoredEvent } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';
import { nameOf } from '../row-keys.ts';
import type { ContentReader } from './content-reader.ts';
import { contentOffsets, copyEntry, type Entry } from './entry-row.ts';
import type { LogReader } from './log-reader.ts';

/** Bytes of decoded batches kept, over all enclaves; the least recently used goes first. */
const KEPT_BYTES = 32 * 1024 * 1024;
/** A batch with more content than this is read event by event, not kept whole. */
const KEPT_CONTENT = 128 * 1024;

/** A larger row is decoded where it lies in LMDB's memory, and kept only if the next read wants the same batch: a query
 *  may take one event out of each of a hundred batches, and copying them all is most of its cost. */
const COPIED_BYTES = 4 * 1024;

/** Single reads of a batch before its content is read whole. */
const WHOLE_AFTER = 8;

interface Decoded {
  readonly firstSeq: number;
  readonly events: number;
  readonly size: number;
  readonly entry: Entry;
  readonly records: Uint32Array;
  readonly contentAt: Uint32Array;
  content: Buffer | null;
  uses: number;
  /** `entry` is LMDB's own memory, good until the next read of the store. */
  readonly passing: boolean;
}

/** Single events by seq, with a small cache of the batches they are in. */
export class RecordCache {
  readonly #reader: LogReader;
  readonly #contents: ContentReader;
  readonly #kept = new BatchCache<Decoded>(KEPT_BYTES);
  #last: { enclave: Uint8Array; lane: number; decoded: Decoded } | null = null;
  /** log and first seq of the batch that was decoded in passing, last */
  #passed = '';

  constructor(reader: LogReader, contents: ContentReader) {
    this.#reader = reader;
    this.#contents = contents;
  }

  /** As EnclaveLog.record. */
  record(key: LogKey, seq: number): StoredEvent | null {
    try {
      return this.#read(key, seq);
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error;
      return this.#reader.whileErasing(() => {
        this.release(key);
        return this.#read(key, seq);
      });
    }
  }

  #read(key: LogKey, seq: number): StoredEvent | null {
    const decoded = this.#decoded(key, seq);
    if (decoded === null) return null;
    const index = seq - decoded.firstSeq;
    const record = this.#recordAt(key, decoded, index);
    const length = record.readUInt32LE(44);
    if (length === 0) return { record, content: EMPTY };
    const from = decoded.contentAt[index] as number;
    if (decoded.content !== null) return { record, content: decoded.content.subarray(from, from + length) };
    const total = decoded.entry.place.length;
    // When so many events of a small batch were wanted, its others will be too.
    if (!decoded.passing && total <= KEPT_CONTENT && ++decoded.uses >= WHOLE_AFTER) {
      decoded.content = this.#contents.read(key, decoded.entry, 0, total);
      this.#kept.add(nameOf(key), { ...decoded, size: decoded.size + total });
      return { record, content: decoded.content.subarray(from, from + length) };
    }
    return { record, content: this.#contents.read(key, decoded.entry, from, from + length) };
  }

  /** The event record alone, null behind the head. */
  skeleton(key: LogKey, seq: number): Buffer | null {
    const decoded = this.#decoded(key, seq);
    return decoded === null ? null : this.#recordAt(key, decoded, seq - decoded.firstSeq);
  }

  timestamp(key: LogKey, seq: number): number | null {
    const record = this.skeleton(key, seq);
    return record === null ? null : readInt(record, 16);
  }

  release(key: LogKey): void {
    this.#last = null;
    this.#kept.release(nameOf(key));
  }

  #recordAt(key: LogKey, decoded: Decoded, index: number): Buffer {
    const at = decoded.records[index];
    if (at === undefined) throw new LogDamaged(key, decoded.firstSeq, 'batch');
    const { skeleton } = decoded.entry;
    const record = skeleton.subarray(at, at + skeleton.readUInt32LE(at));
    return decoded.passing ? Buffer.from(record) : record;
  }

  #decoded(key: LogKey, seq: number): Decoded | null {
    const last = this.#last;
    if (
      last !== null &&
      seq >= last.decoded.firstSeq &&
      seq < last.decoded.firstSeq + last.decoded.events &&
      last.lane === key.lane &&
      Buffer.compare(last.enclave, key.enclave) === 0
    )
      return last.decoded;
    const name = nameOf(key);
    const kept = this.#kept.find(name, seq);
    if (kept !== null) return this.#use(key, kept);
    const view = this.#reader.viewEntry(key, seq);
    if (view === null) return null;
    const { at: contentAt, records } = contentOffsets(view);
    const { firstSeq, events } = view;
    const size = view.row.length + 8 * records.length + 500;
    const fields = { firstSeq, events, size, records, contentAt, content: null, uses: 0 };
    const batch = `${name} ${firstSeq}`;
    if (view.row.length > COPIED_BYTES && this.#passed !== batch) {
      this.#passed = batch;
      return { ...fields, entry: view, passing: true };
    }
    const decoded: Decoded = { ...fields, entry: copyEntry(view), passing: false };
    this.#kept.add(name, decoded);
    return this.#use(key, decoded);
  }

  #use(key: LogKey, decoded: Decoded): Decoded {
    this.#last = { enclave: new Uint8Array(key.enclave), lane: key.lane, decoded };
    return decoded;
  }
}

const EMPTY = Buffer.alloc(0);
