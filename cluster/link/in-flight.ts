/** Places at first, a power of two. */
const PLACES = 64;

/**
 * What is under way on a link, by its id (u32).
 *
 * A `Map` says the same and costs the collector a second heap: entries that come and go make it move to a new table every
 * few dozen calls, the table that was left goes on naming the next one, and once one of them has grown old everything that
 * was in those behind it outlives its call until the whole heap is marked. So this is one table that stays: open addressing
 * with linear probing, in which a place that falls free is filled at once (Knuth, The Art of Computer Programming 6.4,
 * algorithm R). Ids follow one another, so nearly every one lies in its own place.
 */
export class InFlight<T> {
  #ids = new Uint32Array(PLACES);
  #items: (T | undefined)[] = new Array(PLACES).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#items[this.#place(id)];
  }

  /** The id must not be there. */
  add(id: number, item: T): void {
    if (2 * ++this.#size > this.#ids.length) this.#grow();
    this.#put(id, item);
  }

  delete(id: number): boolean {
    const ids = this.#ids;
    const items = this.#items;
    const mask = ids.length - 1;
    let free = this.#place(id);
    if (items[free] === undefined) return false;
    this.#size--;
    for (let next = (free + 1) & mask; items[next] !== undefined; next = (next + 1) & mask) {
      // It stays if it would be looked for only behind the free place.
      if (((next - (ids[next] as number)) & mask) < ((next - free) & mask)) continue;
      ids[free] = ids[next] as number;
      items[free] = items[next];
      free = next;
    }
    items[free] = undefined;
    return true;
  }

  /** A copy, in no order. */
  values(): T[] {
    return this.#items.filter((item): item is T => item !== undefined);
  }

  clear(): void {
    this.#items.fill(undefined);
    this.#size = 0;
  }

  /** Where the id is, or would be. */
  #place(id: number): number {
    const ids = this.#ids;
    const mask = ids.length - 1;
    let place = id & mask;
    while (this.#items[place] !== undefined && ids[place] !== id) place = (place + 1) & mask;
    return place;
  }

  #put(id: number, item: T): void {
    const place = this.#place(id);
    this.#ids[place] = id;
    this.#items[place] = item;
  }

  #grow(): void {
    const ids = this.#ids;
    const items = this.#items;
    this.#ids = new Uint32Array(2 * ids.length);
    this.#items = new Array(2 * ids.length).fill(undefined);
    for (const [i, item] of items.entries()) if (item !== undefined) this.#put(ids[i] as number, item);
  }
}
