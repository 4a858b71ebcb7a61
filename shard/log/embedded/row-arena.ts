/** Room for the rows of many groups: somewhat more than are put into LMDB at once (log-writer.ts). */
const CHUNK_BYTES = 8 * 1024 * 1024;
/** Chunks kept for the next time: one is being filled while the rows of the other are on their way into LMDB. */
const SPARE = 2;

/** Encoded rows of one group or of several (journal-rows.ts), one behind the other. */
export interface RowSpan {
  readonly memory: SharedArrayBuffer;
  readonly from: number;
  readonly to: number;
}

/**
 * Memory for encoded rows, which two threads look at and no collector moves, counts or frees: rows live just long enough
 * to become old objects, and as buffers of their own they cost a whole collection for every few thousand groups.
 */
export class RowArena {
  readonly #spare: SharedArrayBuffer[] = [];
  #spans: RowSpan[] = [];
  #memory: SharedArrayBuffer | null = null;
  #used = 0;

  /** The rows since the last `take`, in order. */
  get spans(): readonly RowSpan[] {
    return this.#memory === null || this.#used === 0
      ? this.#spans
      : [...this.#spans, { memory: this.#memory, from: 0, to: this.#used }];
  }

  /** Room behind all that there is: valid until the rows are given to `release`. */
  add(length: number): Buffer {
    if (this.#memory === null || this.#used + length > this.#memory.byteLength) {
      this.#spans = [...this.spans];
      this.#memory = (length <= CHUNK_BYTES ? this.#spare.pop() : null) ?? newChunk(length);
      this.#used = 0;
    }
    const room = Buffer.from(this.#memory as unknown as ArrayBuffer, this.#used, length);
    this.#used += length;
    return room;
  }

  /** Gives up what was added last, of that length. */
  undo(length: number): void {
    this.#used -= length;
  }

  /** Hands all rows over; what is added from now on lies elsewhere. */
  take(): readonly RowSpan[] {
    const { spans } = this;
    this.#spans = [];
    if (this.#used > 0) this.#memory = null;
    this.#used = 0;
    return spans;
  }

  /** Takes rows back that are older than all that it has. */
  putBack(spans: readonly RowSpan[]): void {
    this.#spans = [...spans, ...this.#spans];
  }

  /** Nobody looks at these rows any more. */
  release(spans: readonly RowSpan[]): void {
    for (const { memory } of spans)
      if (memory.byteLength === CHUNK_BYTES && this.#spare.length < SPARE) this.#spare.push(memory);
  }
}

const newChunk = (length: number): SharedArrayBuffer => new SharedArrayBuffer(Math.max(CHUNK_BYTES, length));
