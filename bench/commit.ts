import { type BenchNode, startNode } from './bench-node.ts';
import { calibrate } from './calibrate.ts';
import { type Author, Corpus } from './corpus.ts';
import { quantile, runLoad } from './load/run-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { processCpu } from './process-cpu.ts';
import { type BenchResult, costOf, latencies } from './result.ts';

const MEMBERS = 1000;
const CONNECTIONS = 64;
/** The first commits pay for start-up and compilation. */
const WARM_UP = 40_000;
const MEASURED = 60_000;
/** Open-loop rates as shares of the saturation rate; the must is about half of it. */
const SHARES = [0.25, 0.5, 0.75] as const;
const OPEN_LOOP_SECONDS = 7;
/** Of these the first does not count: the load generator is a new process, and slow until its code is compiled. */
const OPEN_LOOP_WARM_UP = 1;
/** Open loop: so many connections that none is ever waited for while the node keeps up. */
const OPEN_LOOP_CONNECTIONS = 256;
/** Latency musts hold where a sync takes about 0.3 ms; the machine of a run may be slower. */
const FAST_SYNC_MS = 0.35;

const RECEIPT = '"type":"Receipt"';
/** about 200 bytes, as ARCHITECTURE §6 has it */
const content = (n: number): string => `{"n":${n},"text":"${'enclave '.repeat(22)}"}`;

export interface CommitBench {
  readonly name: string;
  readonly perPost: number;
  /** beyond crypto at most, in c */
  readonly must: number;
  readonly goal: number;
  /** of one sync on this machine, ms */
  readonly syncMs: number;
}

/** An endless supply of signed commits for one new enclave of 1,000 members, round robin. */
export class CommitSupply {
  readonly enclave: string;
  readonly #corpus: Corpus;
  readonly #members: readonly Author[];
  #next = 0;

  private constructor(corpus: Corpus, enclave: string, members: readonly Author[]) {
    this.#corpus = corpus;
    this.enclave = enclave;
    this.#members = members;
  }

  /** Makes the enclave on that node. */
  static async open(url: string): Promise<CommitSupply> {
    const corpus = await Corpus.open();
    const members = Array.from({ length: MEMBERS }, (_, i) => corpus.author(i + 1));
    const exp = Date.now() + 300_000;
    const { enclave, text } = corpus.manifest(corpus.author(0), members, String(exp), exp, {
      size: 256,
      timeout: 5000,
    });
    await post(url, text);
    return new CommitSupply(corpus, enclave, members);
  }

  /** Bodies with `count` commits together; good for nearly ten minutes from now. */
  bodies(count: number, perPost = 1): string[] {
    const exp = Date.now() + 590_000;
    const texts = Array.from({ length: count }, () => {
      const n = this.#next++;
      const author = this.#members[n % this.#members.length] as Author;
      return this.#corpus.commit(author, this.enclave, { type: 'note', content: content(n), exp });
    });
    if (perPost === 1) return texts;
    return Array.from(
      { length: Math.ceil(count / perPost) },
      (_, i) => `[${texts.slice(i * perPost, (i + 1) * perPost).join(',')}]`,
    );
  }
}

/** One hot enclave: closed loop at saturation, then (one per POST) open loop at shares of that rate. */
export async function benchCommits(b: CommitBench, options: BenchOptions): Promise<BenchResult[]> {
  const node = await startNode({}, undefined, options.nodeArgs);
  try {
    const supply = await CommitSupply.open(node.url);
    const saturated = await saturation(b, node, supply, options);
    const results = [saturated];
    if (b.perPost === 1) {
      if (b.syncMs <= FAST_SYNC_MS) results.push(latencyAtSaturation(saturated));
      for (const share of SHARES) results.push(await openLoop(node, supply, share, saturated.rate as number, options));
    }
    return results;
  } finally {
    await node.stop();
  }
}

async function saturation(
  b: CommitBench,
  node: BenchNode,
  supply: CommitSupply,
  options: BenchOptions,
): Promise<BenchResult> {
  const load = { url: node.url, method: 'POST', path: '/', connections: CONNECTIONS, good: RECEIPT, rate: 0 } as const;
  await runLoad({ ...load, bodies: supply.bodies(scaled(options, WARM_UP, 1000), b.perPost) });
  const bodies = supply.bodies(scaled(options, MEASURED, 1000), b.perPost);
  const before = calibrate().c;
  const cpu = processCpu(node.pid);
  const full = await runLoad({ ...load, bodies });
  const used = processCpu(node.pid) - cpu;
  const c = (before + calibrate().c) / 2;
  const cost = costOf(used, full.good, c);
  return {
    name: b.name,
    what: `${b.perPost} per POST, durable, one hot enclave of ${MEMBERS} members, ${CONNECTIONS} connections`,
    rate: full.good / full.seconds,
    ...cost,
    ...latencies(full.latencies),
    must: `beyond crypto ≤ ${b.must} c`,
    met: cost.beyond_c <= b.must,
    goal_c: b.goal,
    commits: full.good,
    node_cpu_s: used,
    generator_cpu_s: full.cpuSeconds,
  };
}

function latencyAtSaturation({ name, what, p50_ms = Number.NaN, p99_ms = Number.NaN }: BenchResult): BenchResult {
  const met = p50_ms <= 7 && p99_ms <= 16;
  return { name: `${name}-latency`, what, p50_ms, p99_ms, must: 'p50 ≤ 7 ms, p99 ≤ 16 ms', met };
}

async function openLoop(
  node: BenchNode,
  supply: CommitSupply,
  share: number,
  saturation: number,
  options: BenchOptions,
): Promise<BenchResult> {
  const rate = saturation * share;
  const bodies = supply.bodies(Math.round(rate * Math.max(1, OPEN_LOOP_SECONDS * Math.min(1, options.scale))));
  const load = { url: node.url, method: 'POST', path: '/', good: RECEIPT } as const;
  const cpu = processCpu(node.pid);
  const run = await runLoad({
    ...load,
    connections: OPEN_LOOP_CONNECTIONS,
    rate,
    bodies,
    warmUpSeconds: OPEN_LOOP_WARM_UP * Math.min(1, options.scale),
  });
  const p99 = quantile(run.latencies, 0.99);
  return {
    name: share === 0.5 ? 'commit-half' : `commit-${share * 100}-percent`,
    what: `one per POST at ${share * 100} % of the saturation rate, open loop, from the intended send time`,
    rate: run.good / run.seconds,
    cost_us: ((processCpu(node.pid) - cpu) / run.good) * 1e6,
    ...latencies(run.latencies),
    ...(share === 0.5 ? { must: 'p99 ≤ 25 ms', met: p99 <= 25 } : {}),
    share,
  };
}

async function post(url: string, body: string): Promise<void> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}
