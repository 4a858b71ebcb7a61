/** Seeded randomness for tests: the same seed gives the same bytes (mulberry32). */
export function seeded(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    bytes: (length: number): Uint8Array => Uint8Array.from({ length }, () => next() & 0xff),
    /** A copy with one bit flipped. */
    flip(bytes: Uint8Array): Uint8Array {
      const copy = Uint8Array.from(bytes);
      const at = below(bytes.length);
      copy[at] = (copy[at] as number) ^ (1 << below(8));
      return copy;
    },
  };
}
