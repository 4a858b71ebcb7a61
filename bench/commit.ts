import { startNode } from './bench-node.ts';
import { calibrate } from './calibrate.ts';
import { type Author, Corpus } from './corpus.ts';
import { quantile, runLoad } from './load/run-load.ts';
import { processCpu } from './process-cpu.ts';
import { type BenchResult, costOf } from './result.ts';

const MEMBERS = 1000;
/** ~200 bytes of content, as ARCHITECTURE §6 */
const content = (n: number): string => `{"n":${n},"text":"${'enclave '.repeat(22)}"}`;
const RECEIPT = '"type":"Receipt"';

export interface CommitBench {
  readonly name: string;
  readonly what: string;
  readonly commits: number;
  readonly perPost: number;
  readonly connections: number;
  readonly must: number;
}

/** One hot enclave with 1,000 members: closed loop at saturation, then (one per POST) open loop at half that rate. */
export async function benchCommits(b: CommitBench): Promise<BenchResult[]> {
  const corpus = await Corpus.open();
  const members = Array.from({ length: MEMBERS }, (_, i) => corpus.author(i + 1));
  const node = await startNode();
  try {
    const exp = Date.now() + 590_000;
    const { enclave, text } = corpus.manifest(corpus.author(0), members, String(exp), exp, { size: 256, timeout: 5000 });
    await post(node.url, text);
    const bodies = (from: number, count: number): string[] => commitBodies(corpus, members, enclave, from, count, b.perPost, exp);
    const warm = Math.min(10_000, b.commits);
    const load = { url: node.url, method: 'POST', path: '/', connections: b.connections, good: RECEIPT } as const;
    await runLoad({ ...load, rate: 0, bodies: bodies(0, warm) });
    const before = calibrate().c;
    const saturating = bodies(warm, b.commits);
    const cpu = processCpu(node.pid);
    const full = await runLoad({ ...load, rate: 0, bodies: saturating });
    const used = processCpu(node.pid) - cpu;
    const c = (before + calibrate().c) / 2;
    if (full.bad > 0) throw new Error(`${full.bad} commits were refused: ${full.firstBad}`);
    const rate = full.good / full.seconds;
    const cost = costOf(used, full.good, c);
    const results: BenchResult[] = [{
      name: b.name, what: b.what, rate, ...cost, p50_ms: quantile(full.latencies, 0.5), p99_ms: quantile(full.latencies, 0.99),
      must: `beyond crypto ≤ ${b.must} c`, met: (cost.beyond_c ?? 9) <= b.must, commits: full.good, generator_cpu_s: full.cpuSeconds, node_cpu_s: used,
    }];
    if (b.perPost === 1) {
      const half = await runLoad({ ...load, connections: 256, rate: rate / 2, bodies: bodies(warm + b.commits, Math.round(rate * 4)) });
      const p99 = quantile(half.latencies, 0.99);
      results.push({
        name: `${b.name}-half`, what: 'the same at half the saturation rate, open loop, from the intended send time', rate: half.good / half.seconds,
        p50_ms: quantile(half.latencies, 0.5), p99_ms: p99, must: 'p99 ≤ 25 ms', met: p99 <= 25,
      });
    }
    return results;
  } finally {
    await node.stop();
  }
}

function commitBodies(corpus: Corpus, members: readonly Author[], enclave: string, from: number, count: number, perPost: number, exp: number): string[] {
  const texts = Array.from({ length: count }, (_, i) => corpus.commit(members[(from + i) % members.length] as Author, enclave, 'note', content(from + i), exp));
  if (perPost === 1) return texts;
  return Array.from({ length: Math.ceil(count / perPost) }, (_, i) => `[${texts.slice(i * perPost, (i + 1) * perPost).join(',')}]`);
}

export async function post(url: string, body: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${answer}`);
  return answer;
}
