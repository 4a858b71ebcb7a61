import { SLOTS } from './tally.ts';

const SLOT_MS = 1000 / SLOTS;

export interface Gap {
  readonly ms: number;
  /** where it began, ms since the load began */
  readonly at: number;
}

/** In which hundredths of a second something was acknowledged: one byte each. */
export class Timeline {
  #slots = new Uint8Array(64 * SLOTS);

  mark(second: number, slots: Uint8Array): void {
    const end = (second + 1) * SLOTS;
    if (end > this.#slots.length) {
      const more = new Uint8Array(end * 2);
      more.set(this.#slots);
      this.#slots = more;
    }
    for (const [i, one] of slots.entries()) if (one === 1) this.#slots[second * SLOTS + i] = 1;
  }

  /**
   * The longest time without success that touches [from, to) (ms since the load began). It is counted whole on the left, from
   * the last success before `from`, and up to `to` on the right.
   */
  longestGap(from: number, to: number): Gap {
    const last = Math.ceil(to / SLOT_MS);
    let begin = Math.max(0, Math.floor(from / SLOT_MS));
    while (begin > 0 && !this.#slots[begin - 1]) begin--;
    let longest = { length: 0, begin };
    for (let slot = begin; slot <= last; slot++) {
      if (slot < last && !this.#slots[slot]) continue;
      if (slot - begin > longest.length) longest = { length: slot - begin, begin };
      begin = slot + 1;
    }
    return { ms: longest.length * SLOT_MS, at: longest.begin * SLOT_MS };
  }
}
