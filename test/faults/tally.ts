/** The moments that a run of the whole command must have met, or it has shown nothing about them. */
export const MOMENTS = [
  'death between append and guard',
  'death between guard and answer',
  'unknown outcome that had persisted',
  'refused compare-and-set',
  'deduplicated retry',
  'bundle closed by time-out',
] as const;

/** The same of clusters. */
export const CLUSTER_MOMENTS = [
  'fence under load',
  'zombie append refused',
  'append of unknown outcome',
  'take-over',
  'take-back',
  'request moved',
  'old topology refused',
  'topology changed under load',
  'kill -9 of a shard',
  'kill -9 of a router',
  'frozen shard came back',
  'clock jumped under load',
  'Redis promoted with all data',
  'Redis promoted with data missing',
  'enclave regressed',
  'enclave recovered',
] as const;

/** How the runs of a scenario are counted. */
export const RUNS_OF = 'runs of ';

/** Counts what happened, over all runs. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(what: string, times = 1): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  /** Takes in what another has counted. */
  merge(counts: Iterable<readonly [string, number]>): void {
    for (const [what, times] of counts) this.add(what, times);
  }

  /** Moments that were never met, of the kinds of nodes that were run at all. */
  missing(): string[] {
    return this.#moments().filter((moment) => !this.counts.has(moment));
  }

  /** One line per count: the moments first, then whatever else was counted. */
  lines(): string[] {
    const moments = this.#moments();
    const others = [...this.counts.keys()].filter((name) => !moments.includes(name)).sort();
    return [...moments, ...others].map((name) => `${String(this.counts.get(name) ?? 0).padStart(7)}  ${name}`);
  }

  #moments(): string[] {
    const runs = [...this.counts.keys()].filter((name) => name.startsWith(RUNS_OF));
    const cluster = runs.filter((name) => name.startsWith(`${RUNS_OF}cluster-`));
    return [...(cluster.length < runs.length ? MOMENTS : []), ...(cluster.length > 0 ? CLUSTER_MOMENTS : [])];
  }
}
