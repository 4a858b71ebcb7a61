/** A clock that is off by more than this has been set, or the machine has slept, ms. */
const JUMP_MS = 50;

/**
 * Turns stamps of performance.now() into ms since the epoch. All spans share one offset, so that parts of a batch lie
 * beside each other as they did; where the wall clock has been set, or the two have drifted apart, it is taken anew.
 */
export class SpanClock {
  #offset = performance.timeOrigin;

  at(stamp: number): number {
    const now = Date.now() - performance.now();
    if (Math.abs(now - this.#offset) > JUMP_MS) this.#offset = now;
    return this.#offset + stamp;
  }
}
