import { calibrate } from './calibrate.ts';
import type { ClusterHouse, PartsCpu } from './cluster-house.ts';
import { type Author, Corpus } from './corpus.ts';
import type { LoadResult } from './load/generator.ts';
import { runLoad } from './load/run-load.ts';
import { type BenchResult, latencies } from './result.ts';

export const CONNECTIONS = 64;
/**
 * Commits a second at which the router's cost is compared, which every cluster here can take: at saturation the commits that
 * share a frame and a turn of the event loop are as many as wait, which differs from one cluster to the next.
 */
export const SAME_RATE = 2000;
/** The router's work for a commit is the same whatever stands behind it; more than this would not be noise. */
export const NO_GROWTH = 1.1;
/** Open loop: so many that none is ever waited for. */
const OPEN_LOOP_CONNECTIONS = 256;
const RECEIPT = '"type":"Receipt"';
const content = (n: number): string => `{"n":${n},"text":"${'enclave '.repeat(22)}"}`;

/** An endless supply of signed commits to filled enclaves (fill.ts), which take turns. */
export class Notes {
  readonly #corpus: Corpus;
  readonly #author: Author;
  #next = 0;

  private constructor(corpus: Corpus) {
    this.#corpus = corpus;
    this.#author = corpus.author(1);
  }

  static async open(): Promise<Notes> {
    return new Notes(await Corpus.open());
  }

  /** Good for nearly ten minutes from now. */
  bodies(enclaves: readonly string[], count: number): string[] {
    const exp = Date.now() + 590_000;
    return Array.from({ length: count }, (_, i) => {
      const enclave = enclaves[i % enclaves.length] as string;
      return this.#corpus.commit(this.#author, enclave, { type: 'note', content: content(this.#next++), exp });
    });
  }
}

/** One run, and what it cost in each part. */
export interface Measured {
  readonly load: LoadResult;
  readonly cpu: PartsCpu;
  /** mean of before and after, µs */
  readonly c: number;
}

/** One commit per POST, as fast as they are answered; the first `shards` shards take part. */
export function saturate(
  house: ClusterHouse,
  bodies: readonly string[],
  shards = 1,
  connections = CONNECTIONS,
): Promise<Measured> {
  const load = { ...door(house.url), bodies, connections, rate: 0 };
  return measured(house, shards, () => runLoad(load));
}

/** The same in an open loop of `rate` commits a second. */
export function atRate(house: ClusterHouse, bodies: readonly string[], rate: number, shards = 1): Promise<Measured> {
  return measured(house, shards, () => paced(house.url, bodies, rate, OPEN_LOOP_CONNECTIONS));
}

async function measured(house: ClusterHouse, shards: number, run: () => Promise<LoadResult>): Promise<Measured> {
  const before = calibrate(300).c;
  const start = house.cpu(shards);
  const load = await run();
  const cpu = house.cpuSince(start, shards);
  return { load, cpu, c: (before + calibrate(300).c) / 2 };
}

/** `rate` commits a second, in an open loop; `startAt`: ms since the epoch, 0 at once. */
export function paced(
  url: string,
  bodies: readonly string[],
  rate: number,
  connections: number,
  startAt = 0,
): Promise<LoadResult> {
  return runLoad({ ...door(url), bodies, connections, rate, startAt });
}

const door = (url: string) => ({ url, method: 'POST', path: '/', good: RECEIPT }) as const;

/** Cost of a commit in router, shards and both Redis primaries, µs. */
export function costPerCommit({ load, cpu }: Measured): number {
  return ((cpu.router + cpu.shards + cpu.log + cpu.guard) / load.good) * 1e6;
}

/** CPU of the router for a commit, in c. */
export function routerPerCommit({ load, cpu, c }: Measured): number {
  return ((cpu.router / load.good) * 1e6) / c;
}

/** What every row of a run at saturation says. */
export function saturatedRow(name: string, what: string, run: Measured): BenchResult {
  const { load, cpu, c } = run;
  const cost = costPerCommit(run);
  const each = (used: number): number => (used / load.good) * 1e6;
  return {
    name,
    what: `${what}; one per POST, ${CONNECTIONS} in flight`,
    rate: load.good / load.seconds,
    cost_us: cost,
    c_us: c,
    beyond_us: cost - c,
    beyond_c: (cost - c) / c,
    crypto_share: c / cost,
    ...latencies(load.latencies),
    commits: load.good,
    router_us: each(cpu.router),
    shard_us: each(cpu.shards),
    log_us: each(cpu.log),
    guard_us: each(cpu.guard),
  };
}

/** A must that one run's figure is at most so many times another's. */
export function ratioRow(name: string, what: string, ratio: number, must: number): BenchResult {
  return { name, what, ratio, must: `≤ ${must} ×`, met: ratio <= must };
}
