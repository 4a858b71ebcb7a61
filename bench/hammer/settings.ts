/** What a run does (main.ts reads it from the command line). */
export interface Settings {
  readonly url: string;
  /** commits offered per second, in an open loop */
  readonly rate: number;
  /** how long commits are offered */
  readonly seconds: number;
  readonly enclaves: number;
  /** identities that commit; each is a member of every enclave */
  readonly authors: number;
  /** reads under way at once at most; 0: nothing is read until the end */
  readonly readers: number;
  /** reads per second at most */
  readonly readRate: number;
  /** share of the commits that go in arrays, 0–1 */
  readonly arrayShare: number;
  /** commits of one array */
  readonly arraySize: number;
  /** characters of text in a commit's content */
  readonly content: { readonly min: number; readonly max: number };
  /** commits whose outcome is open, at most; what is due beyond that is shed */
  readonly inFlight: number;
  readonly connections: number;
  readonly threads: number;
  /** Acknowledged events at which the load ends early: each is remembered until the end. */
  readonly maxEvents: number;
  /** time until a commit expires: it is repeated so long, and is never accepted afterwards */
  readonly lifetimeSeconds: number;
  /** time that everything after the load may take: outcomes, closing of bundles, reading back */
  readonly settleSeconds: number;
  readonly seed: string;
}

/** What must be reached besides correctness; null: not asked for. */
export interface Goals {
  /** acknowledged per second */
  readonly rate: number | null;
  /** of all commits, from the intended send time, ms */
  readonly p99: number | null;
  /** longest time without any acknowledgement, ms */
  readonly gap: number | null;
  /** slowest acknowledged commit, from the intended send time, ms */
  readonly wait: number | null;
}

/** A bundle is closed when it holds so many events or is so old (PROTOCOL §7): small enough for proofs while the load goes on. */
export const BUNDLE = { size: 256, timeout: 2000 } as const;
/** A shard that does not know yet that it was succeeded answers reads, and refuses, from a view this old (ARCHITECTURE §3), ms. */
export const STALE_MS = 2500;
