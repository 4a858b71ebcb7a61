import { crc32 } from 'node:zlib';
import { IC_TARGET } from '../../kernel/kernel.ts';

/** Events per index segment: offsets within one take 12 bits. */
export const SEGMENT = 4096;

export const FIELD_ID = 0;
export const FIELD_HASH = 1;
export const FIELD_FROM = 2;
export const FIELD_TYPE = 3;
/** these two an event may have not at all, or several times */
export const FIELD_TARGET = 4;
export const FIELD_TAG = 5;
export const FIELDS = 6;

/** What the indexes keep of a value: 32 bits. Equal ones are told apart at the record. */
export function bytesPrefix(value: Uint8Array, at = 0): number {
  return (
    (((value[at] as number) << 24) |
      ((value[at + 1] as number) << 16) |
      ((value[at + 2] as number) << 8) |
      (value[at + 3] as number)) >>>
    0
  );
}

export function textPrefix(text: string): number {
  return crc32(text);
}

/** Any tag of that name; or, with a value, one of that name with the value anywhere behind it. */
export function tagPrefix(name: string, value: string | null): number {
  return value === null ? crc32(name) : crc32(`${name}\0${value}`);
}

/** The indexed fields of the events of one segment, in order of arrival: what a segment is sorted from, or scanned when it is not full yet. */
export class IndexColumns {
  readonly segment: number;
  count = 0;
  #fixed: Uint32Array[] = Array.from({ length: FIELD_TARGET }, () => new Uint32Array(64));
  readonly #sparse = [new SparseColumn(), new SparseColumn()];

  constructor(segment: number) {
    this.segment = segment;
  }

  /** seq of the event that comes next */
  get next(): number {
    return this.segment * SEGMENT + this.count;
  }

  /** Adds an event record (kernel.ts). */
  add(record: Buffer): void {
    const at = this.count++;
    if (at === (this.#fixed[0] as Uint32Array).length)
      this.#fixed = this.#fixed.map((old) => grown(old, new Uint32Array(old.length * 4)));
    const fixed = this.#fixed;
    (fixed[FIELD_ID] as Uint32Array)[at] = bytesPrefix(record, 48);
    (fixed[FIELD_HASH] as Uint32Array)[at] = bytesPrefix(record, 80);
    (fixed[FIELD_FROM] as Uint32Array)[at] = bytesPrefix(record, 112);
    const typeEnd = 376 + record.readUInt16LE(368);
    (fixed[FIELD_TYPE] as Uint32Array)[at] = crc32(record.subarray(376, typeEnd));
    if (((record[5] as number) & IC_TARGET) !== 0) this.#sparseOf(FIELD_TARGET).add(bytesPrefix(record, 304), at);
    const tagsLength = record.readUInt32LE(372);
    if (tagsLength > 2) this.#addTags(record.toString('utf8', typeEnd, typeEnd + tagsLength), at);
  }

  /** Calls `found` with the offset of every event that has this prefix; for a tag perhaps twice. */
  scan(field: number, prefix: number, found: (offset: number) => void): void {
    if (field >= FIELD_TARGET) return this.#sparseOf(field).scan(prefix, found);
    const column = this.#fixed[field] as Uint32Array;
    for (let at = column.indexOf(prefix); at >= 0 && at < this.count; at = column.indexOf(prefix, at + 1)) found(at);
  }

  /** prefix × 4096 + offset of every event that has the field, sorted. */
  sorted(field: number): Float64Array {
    if (field >= FIELD_TARGET) return this.#sparseOf(field).sorted();
    const column = this.#fixed[field] as Uint32Array;
    const values = new Float64Array(this.count);
    for (let i = 0; i < this.count; i++) values[i] = (column[i] as number) * SEGMENT + i;
    return values.sort();
  }

  #addTags(text: string, at: number): void {
    const column = this.#sparseOf(FIELD_TAG);
    for (const tag of JSON.parse(text) as string[][]) {
      const name = tag[0] ?? '';
      column.add(tagPrefix(name, null), at);
      for (let i = 1; i < tag.length; i++) column.add(tagPrefix(name, tag[i] as string), at);
    }
  }

  #sparseOf(field: number): SparseColumn {
    return this.#sparse[field - FIELD_TARGET] as SparseColumn;
  }
}

/** (prefix × 4096 + offset) in order of arrival. */
class SparseColumn {
  #values = new Float64Array(4);
  #count = 0;

  add(prefix: number, at: number): void {
    if (this.#count === this.#values.length) this.#values = grown(this.#values, new Float64Array(this.#count * 2));
    this.#values[this.#count++] = prefix * SEGMENT + at;
  }

  scan(prefix: number, found: (offset: number) => void): void {
    for (let i = 0; i < this.#count; i++) {
      const value = this.#values[i] as number;
      if (Math.floor(value / SEGMENT) === prefix) found(value % SEGMENT);
    }
  }

  sorted(): Float64Array {
    return this.#values.slice(0, this.#count).sort();
  }
}

function grown<T extends Uint32Array | Float64Array>(old: T, into: T): T {
  into.set(old);
  return into;
}
