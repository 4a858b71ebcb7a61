/** The moments that a run of the whole command must have met, or it has shown nothing about them. */
export const MOMENTS = [
  'death between append and guard',
  'death between guard and answer',
  'unknown outcome that had persisted',
  'refused compare-and-set',
  'deduplicated retry',
  'bundle closed by time-out',
] as const;

/** Counts what happened, over all runs. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(what: string, times = 1): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  /** Moments that were never met. */
  missing(): string[] {
    return MOMENTS.filter((moment) => !this.counts.has(moment));
  }

  /** One line per count: the moments first, then whatever else was counted. */
  lines(): string[] {
    const others = [...this.counts.keys()].filter((name) => !(MOMENTS as readonly string[]).includes(name)).sort();
    return [...MOMENTS, ...others].map((name) => `${String(this.counts.get(name) ?? 0).padStart(7)}  ${name}`);
  }
}
