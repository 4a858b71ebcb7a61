/** Names that one limiter remembers; the one unused for longest is forgotten (and starts full again). */
const MAX_NAMES = 100_000;

/** Token buckets by name: `rate` a second on average, bursts of up to `burst`. A rate of 0 is no limit. */
export class TokenBuckets {
  readonly #rate: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** `now` in ms, monotonic. */
  constructor(rate: number, burst: number, now: () => number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#now = now;
  }

  /** Takes `count` tokens; false if there are too few. */
  take(name: string, count = 1): boolean {
    if (this.#rate === 0) return true;
    const now = this.#now();
    const bucket = this.#buckets.get(name);
    const tokens = bucket
      ? Math.min(this.#burst, bucket.tokens + ((now - bucket.at) / 1000) * this.#rate)
      : this.#burst;
    this.#buckets.delete(name);
    if (!bucket && this.#buckets.size >= MAX_NAMES) this.#buckets.delete(this.#buckets.keys().next().value as string);
    this.#buckets.set(name, { tokens: tokens < count ? tokens : tokens - count, at: now });
    return tokens >= count;
  }
}
