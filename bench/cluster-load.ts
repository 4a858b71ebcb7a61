import { calibrate } from './calibrate.ts';
import type { ClusterHouse, PartsCpu } from './cluster-house.ts';
import { type Author, Corpus } from './corpus.ts';
import type { LoadResult } from './load/generator.ts';
import { runLoad } from './load/run-load.ts';
import { type BenchResult, latencies } from './result.ts';

export const CONNECTIONS = 64;
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

/** One run at saturation, and what it cost in each part. */
export interface Saturated {
  readonly load: LoadResult;
  readonly cpu: PartsCpu;
  /** mean of before and after, µs */
  readonly c: number;
}

/** One commit per POST over 64 connections, as fast as they are answered; the first `shards` shards take part. */
export async function saturate(house: ClusterHouse, bodies: readonly string[], shards = 1): Promise<Saturated> {
  const before = calibrate(300).c;
  const start = house.cpu(shards);
  const load = await runLoad({ ...door(house.url), bodies, connections: CONNECTIONS, rate: 0 });
  const cpu = house.cpuSince(start, shards);
  return { load, cpu, c: (before + calibrate(300).c) / 2 };
}

/** `rate` commits a second, in an open loop. */
export function paced(url: string, bodies: readonly string[], rate: number, connections: number): Promise<LoadResult> {
  return runLoad({ ...door(url), bodies, connections, rate });
}

const door = (url: string) => ({ url, method: 'POST', path: '/', good: RECEIPT }) as const;

/** Cost of a commit in router, shards and both Redis primaries, µs. */
export function costPerCommit({ load, cpu }: Saturated): number {
  return ((cpu.router + cpu.shards + cpu.log + cpu.guard) / load.good) * 1e6;
}

/** CPU of the router for a commit, in c. */
export function routerPerCommit({ load, cpu, c }: Saturated): number {
  return ((cpu.router / load.good) * 1e6) / c;
}

/** What every row of a run at saturation says. */
export function saturatedRow(name: string, what: string, run: Saturated): BenchResult {
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
