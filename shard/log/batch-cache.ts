/** A batch in memory. */
export interface CachedBatch {
  readonly firstSeq: number;
  readonly events: number;
  /** bytes that it holds */
  readonly size: number;
}

interface Kept<T> {
  /** of the log */
  readonly name: string;
  batch: T;
  size: number;
}

/** Batches of many logs by seq, up to a number of bytes; the least recently used goes first. */
export class BatchCache<T extends CachedBatch> {
  readonly #limit: number;
  /** per log, by first seq */
  readonly #logs = new Map<string, Kept<T>[]>();
  /** least recently used first */
  readonly #order = new Set<Kept<T>>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The batch that holds the event. */
  find(name: string, seq: number): T | null {
    const known = this.#logs.get(name);
    if (known === undefined) return null;
    const kept = known[placeOf(known, seq) - 1];
    if (kept === undefined || seq >= kept.batch.firstSeq + kept.batch.events) return null;
    this.#order.delete(kept);
    this.#order.add(kept);
    return kept.batch;
  }

  /** In place of one that begins at the same seq. A batch without events is found by nobody: don't add it. */
  add(name: string, batch: T): void {
    const known = this.#logs.get(name) ?? [];
    this.#logs.set(name, known);
    const place = placeOf(known, batch.firstSeq);
    const same = known[place - 1];
    const kept: Kept<T> = { name, batch, size: batch.size };
    if (same?.batch.firstSeq === batch.firstSeq) {
      this.#order.delete(same);
      this.#bytes -= same.size;
      known[place - 1] = kept;
    } else known.splice(place, 0, kept);
    this.#order.add(kept);
    this.#bytes += kept.size;
    this.#shrink(kept);
  }

  release(name: string): void {
    for (const kept of this.#logs.get(name) ?? []) {
      this.#order.delete(kept);
      this.#bytes -= kept.size;
    }
    this.#logs.delete(name);
  }

  clear(): void {
    this.#logs.clear();
    this.#order.clear();
    this.#bytes = 0;
  }

  #shrink(newest: Kept<T>): void {
    for (const oldest of this.#order) {
      if (this.#bytes <= this.#limit || oldest === newest) return;
      this.#order.delete(oldest);
      this.#bytes -= oldest.size;
      const known = this.#logs.get(oldest.name) as Kept<T>[];
      known.splice(known.indexOf(oldest), 1);
      if (known.length === 0) this.#logs.delete(oldest.name);
    }
  }
}

/** How many of these batches begin at or before `seq`. */
function placeOf(known: readonly Kept<CachedBatch>[], seq: number): number {
  let low = 0;
  for (let high = known.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((known[middle] as Kept<CachedBatch>).batch.firstSeq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
