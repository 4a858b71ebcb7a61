import type { LogKey, StoredEvent } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';
import { readInt } from '../bytes.ts';
import type { ContentReader } from './content-reader.ts';
import { contentOffsets, type Entry } from './entry-row.ts';
import type { LogReader } from './log-reader.ts';

/** Batches kept decoded, over all enclaves; the oldest goes first. */
const KEPT_BATCHES = 64;
/** A batch with more content than this is read event by event, not kept whole. */
const KEPT_CONTENT = 128 * 1024;

interface Decoded {
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
  readonly #kept = new Map<string, Decoded>();
  #last: { enclave: Uint8Array; lane: number; decoded: Decoded } | null = null;

  constructor(reader: LogReader, contents: ContentReader) {
    this.#reader = reader;
    this.#contents = contents;
  }

  /** As EnclaveLog.record. */
  record(key: LogKey, seq: number): StoredEvent | null {
    const decoded = this.#decoded(key, seq);
    if (decoded === null) return null;
    const index = seq - decoded.entry.firstSeq;
    const record = this.#recordAt(key, decoded, index);
    const length = record.readUInt32LE(44);
    if (length === 0) return { record, content: EMPTY };
    const from = decoded.contentAt[index] as number;
    if (decoded.content !== null) return { record, content: decoded.content.subarray(from, from + length) };
    const total = decoded.entry.place.length;
    // The second event wanted of a small batch: its neighbours will be wanted too.
    if (total <= KEPT_CONTENT && decoded.uses++ > 0) {
      decoded.content = this.#contents.read(key, decoded.entry, 0, total);
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
    const name = nameOf(key);
    for (const kept of this.#kept.keys()) if (kept.startsWith(name)) this.#kept.delete(kept);
  }

  #recordAt(key: LogKey, decoded: Decoded, index: number): Buffer {
    const at = decoded.records[index];
    if (at === undefined) throw new LogDamaged(key, decoded.entry.firstSeq, 'batch');
    return decoded.entry.skeleton.subarray(at, at + decoded.entry.skeleton.readUInt32LE(at));
  }

  #decoded(key: LogKey, seq: number): Decoded | null {
    const last = this.#last;
    if (last !== null && holds(last.decoded.entry, seq) && last.lane === key.lane && Buffer.compare(last.enclave, key.enclave) === 0) return last.decoded;
    const name = nameOf(key);
    for (const [place, kept] of this.#kept) {
      if (!holds(kept.entry, seq) || !place.startsWith(name)) continue;
      this.#kept.delete(place);
      return this.#keep(key, place, kept);
    }
    const entry = this.#reader.entry(key, seq);
    if (entry === null) return null;
    const { at, records } = contentOffsets(entry.skeleton, entry.holes);
    return this.#keep(key, `${name}${entry.firstSeq}`, { entry, records, contentAt: at, content: null, uses: 0 });
  }

  #keep(key: LogKey, place: string, decoded: Decoded): Decoded {
    this.#kept.set(place, decoded);
    if (this.#kept.size > KEPT_BATCHES) for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
    this.#last = { enclave: new Uint8Array(key.enclave), lane: key.lane, decoded };
    return decoded;
  }
}

const EMPTY = Buffer.alloc(0);

function holds(entry: Entry, seq: number): boolean {
  return seq >= entry.firstSeq && seq < entry.firstSeq + entry.events;
}

function nameOf(key: LogKey): string {
  return `${Buffer.from(key.enclave).toString('latin1')}/${key.lane}/`;
}
