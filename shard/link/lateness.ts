/** For how long the quickest frame counts, at least, ms: clocks of two machines drift apart, and stop when a machine is moved. */
const WINDOW_MS = 30_000;

/**
 * How much longer than the quickest of late a frame was on its way. What stood in buffers while this process was stopped is
 * late; that the other side's clock goes at another pace, stood still for a while or has begun anew at 0, makes nothing late
 * for longer than two windows.
 */
export class Lateness {
  /** the quickest of this window and of the one before, in terms of both clocks, modulo 2^32 */
  #quickest: number | null = null;
  #before: number | null = null;
  #since = Number.NEGATIVE_INFINITY;

  /** `sent`: sender's clock, ms modulo 2^32; `now`: performance.now(). Returns ms. */
  of(sent: number, now: number): number {
    const took = (Math.floor(now) - sent) | 0;
    // One step, however long nothing has come: what comes first may be what has waited.
    if (now - this.#since > WINDOW_MS) {
      this.#before = this.#quickest;
      this.#quickest = null;
      this.#since = now;
    }
    this.#quickest = quicker(this.#quickest, took);
    return (took - quicker(this.#before, this.#quickest)) | 0;
  }
}

/** Differences of numbers modulo 2^32: the one that the other lies behind. */
function quicker(known: number | null, took: number): number {
  return known === null || ((took - known) | 0) < 0 ? took : known;
}
