import { readInt } from '../bytes.ts';
import type { LogKey, StoredEvent } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';
import { prefixOf } from '../row-keys.ts';
import type { ContentReader } from './content-reader.ts';
import { contentOffsets, type Entry } from './entry-row.ts';
import type { LogReader } from './log-reader.ts';

/** Bytes of decoded batches kept, over all enclaves; the least recently used goes first. */
const KEPT_BYTES = 32 * 1024 * 1024;
/** A batch with more content than this is read event by event, not kept whole. */
const KEPT_CONTENT = 128 * 1024;

/** Single reads of a batch before its content is read whole. */
const WHOLE_AFTER = 8;

interface Decoded {
  /** of the enclave */
  readonly name: string;
  readonly entry: Entry;
  readonly records: Uint32Array;
  readonly contentAt: Uint32Array;
  content: Buffer | null;
  uses: number;
}

/** Single events by seq, with a small cache of the batches they are in. */
export class RecordCache {
  readonly #reader: LogReader;
  readonly #contents: ContentReader;
  /** per enclave, by first seq */
  readonly #kept = new Map<string, Decoded[]>();
  /** least recently used first */
  readonly #order = new Set<Decoded>();
  #bytes = 0;
  #last: { enclave: Uint8Array; lane: number; decoded: Decoded } | null = null;

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
    const index = seq - decoded.entry.firstSeq;
    const record = this.#recordAt(key, decoded, index);
    const length = record.readUInt32LE(44);
    if (length === 0) return { record, content: EMPTY };
    const from = decoded.contentAt[index] as number;
    if (decoded.content !== null) return { record, content: decoded.content.subarray(from, from + length) };
    const total = decoded.entry.place.length;
    // When so many events of a small batch were wanted, its others will be too.
    if (total <= KEPT_CONTENT && ++decoded.uses >= WHOLE_AFTER) {
      decoded.content = this.#contents.read(key, decoded.entry, 0, total);
      if (this.#order.has(decoded)) this.#bytes += total;
      return { record, content: decoded.content.subarray(from, from + length) };
    }
    return { record, content: this.#contents.read(key, decoded.entry, from, from + length) };
  }

  /** The event record alone, null behind the head. */
  skeleton(key: LogKey, seq: number): Buffer | null {
    const decoded = this.#decoded(key, seq);
    return decoded === null ? null : this.#recordAt(key, decoded, seq - decoded.entry.firstSeq);
  }

  timestamp(key: LogKey, seq: number): number | null {
    const record = this.skeleton(key, seq);
    return record === null ? null : readInt(record, 16);
  }

  release(key: LogKey): void {
    this.#last = null;
    for (const decoded of this.#kept.get(nameOf(key)) ?? []) {
      this.#order.delete(decoded);
      this.#bytes -= sizeOf(decoded);
    }
    this.#kept.delete(nameOf(key));
  }

  #recordAt(key: LogKey, decoded: Decoded, index: number): Buffer {
    const at = decoded.records[index];
    if (at === undefined) throw new LogDamaged(key, decoded.entry.firstSeq, 'batch');
    return decoded.entry.skeleton.subarray(at, at + decoded.entry.skeleton.readUInt32LE(at));
  }

  #decoded(key: LogKey, seq: number): Decoded | null {
    const last = this.#last;
    if (
      last !== null &&
      holds(last.decoded.entry, seq) &&
      last.lane === key.lane &&
      Buffer.compare(last.enclave, key.enclave) === 0
    )
      return last.decoded;
    const name = nameOf(key);
    const known = this.#kept.get(name) ?? [];
    const place = placeOf(known, seq);
    const kept = known[place - 1];
    if (kept !== undefined && holds(kept.entry, seq)) {
      this.#order.delete(kept);
      this.#order.add(kept);
      return this.#use(key, kept);
    }
    const entry = this.#reader.entry(key, seq);
    if (entry === null) return null;
    const { at, records } = contentOffsets(entry);
    const decoded: Decoded = { name, entry, records, contentAt: at, content: null, uses: 0 };
    known.splice(place, 0, decoded);
    this.#kept.set(name, known);
    this.#order.add(decoded);
    this.#bytes += sizeOf(decoded);
    for (const oldest of this.#order) {
      if (this.#bytes <= KEPT_BYTES || oldest === decoded) break;
      this.#drop(oldest);
    }
    return this.#use(key, decoded);
  }

  #use(key: LogKey, decoded: Decoded): Decoded {
    this.#last = { enclave: new Uint8Array(key.enclave), lane: key.lane, decoded };
    return decoded;
  }

  #drop(decoded: Decoded): void {
    this.#order.delete(decoded);
    this.#bytes -= sizeOf(decoded);
    const known = this.#kept.get(decoded.name) as Decoded[];
    known.splice(known.indexOf(decoded), 1);
    if (known.length === 0) this.#kept.delete(decoded.name);
  }
}

/** How many of these batches begin at or before `seq`. */
function placeOf(known: readonly Decoded[], seq: number): number {
  let low = 0;
  for (let high = known.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((known[middle] as Decoded).entry.firstSeq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sizeOf(decoded: Decoded): number {
  return decoded.entry.row.length + 8 * decoded.records.length + (decoded.content?.length ?? 0) + 500;
}

const EMPTY = Buffer.alloc(0);

function holds(entry: Entry, seq: number): boolean {
  return seq >= entry.firstSeq && seq < entry.firstSeq + entry.events;
}

function nameOf(key: LogKey): string {
  return prefixOf(key).toString('latin1');
}
