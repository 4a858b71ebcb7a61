import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSession } from '../protocol/session.ts';
import { type BenchNode, startNode } from './bench-node.ts';
import { type BigEnclave, fillEnclave, RARE_EVERY, STEP_MS, TOPICS } from './big-enclave.ts';
import { CommitSupply } from './commit.ts';
import { quantile, runLoad } from './load/run-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { privateMemory, processCpu } from './process-cpu.ts';
import { type BenchResult, latencies } from './result.ts';

const EVENTS = 1_000_000;
const WARM_UP = 150;
const MEASURED = 300;
const MUST_MS = 20;
/** Unselective answers of about 1 MB each: so many together, and what they may add to the memory of the node. */
const STREAMS = 16;
const STREAM_BYTES = 64 * 2 ** 20;
/** Commits beside queries: a rate that leaves the node time for both, 1/s. */
const COMMIT_RATE = 1000;
const BESIDE_SECONDS = 10;

type Filters = (n: number) => object;

/** Queries over one enclave of 10^6 events by its owner: selective and unselective ones, and commits beside them. */
export async function benchQuery(options: BenchOptions): Promise<BenchResult[]> {
  const data = mkdtempSync(join(tmpdir(), 'enc-bench-'));
  try {
    const big = await fillEnclave(data, scaled(options, EVENTS, 50_000));
    const node = await startNode({}, data, options.nodeArgs);
    try {
      const ask = asker(big);
      const results: BenchResult[] = [];
      for (const [name, filters] of Object.entries(selective(big)))
        results.push(await timed(node, name, big.events, bodies(ask, filters), options));
      results.push(await unselective(node, bodies(ask, pages(big)), options));
      results.push(...(await beside(node, ask, big, options)));
      return results;
    } finally {
      await node.stop(false);
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** Each filter another time with other values, so that no answer is a repeated one. */
function selective(big: BigEnclave): Record<string, Filters> {
  const member = (n: number): string => (big.members[(n * 37) % big.members.length] as { id: string }).id;
  const id = (n: number): string => big.ids[n % big.ids.length] as string;
  const topic = (n: number): string => `t${(n * 613) % TOPICS}`;
  const spot = (n: number): number => (n * 104_729) % (big.events - 1000);
  const time = (n: number): number => big.firstTime + spot(n) * STEP_MS;
  return {
    author: (n) => ({ from: member(n) }),
    'author-newest': (n) => ({ from: member(n), reverse: true }),
    type: (n) => ({ type: 'rare', limit: 100, ...(n % 2 === 0 ? { reverse: true } : {}) }),
    tag: (n) => ({ tags: { topic: topic(n) } }),
    'author-and-tag': (n) => ({ from: member(n), tags: { topic: [topic(n), topic(n + 1)] } }),
    id: (n) => ({ id: id(n) }),
    time: (n) => ({ timestamp: { start_at: time(n), end_before: time(n) + 600 * STEP_MS } }),
    newest: (n) => ({ reverse: true, limit: 1 + (n % 100) }),
  };
}

/** What each of them finds, for the page. */
const WHAT: Readonly<Record<string, string>> = {
  author: 'the first 100 events of one of 1,000 authors',
  'author-newest': 'the newest 100 events of one of 1,000 authors',
  type: `100 events of a type that one event in ${RARE_EVERY} has`,
  tag: `the events with a tag value that one event in ${TOPICS} has`,
  'author-and-tag': 'one author and either of two tag values',
  id: 'one event by its id',
  time: '100 events from any moment on',
  newest: 'the newest 1 to 100 events',
};

const pages =
  (big: BigEnclave): Filters =>
  (n) => ({ seq: { start_at: (n * 104_729) % (big.events - 1000) }, limit: 1000 });

function asker(big: BigEnclave): (filter: object) => string {
  const session = makeSession(big.owner.secret, big.sequencer, Math.floor(Date.now() / 1000) + 7000);
  return (filter) => JSON.stringify({ type: 'Query', enclave: big.enclave, from: big.owner.id, session, filter });
}

const bodies = (ask: (filter: object) => string, filters: Filters): string[] =>
  Array.from({ length: MEASURED }, (_, n) => ask(filters(n)));

const QUERIES = { method: 'POST', path: '/', good: '"type":"Response"' } as const;

/** One at a time, warm. */
async function timed(
  node: BenchNode,
  name: string,
  events: number,
  requests: string[],
  options: BenchOptions,
): Promise<BenchResult> {
  const load = { ...QUERIES, url: node.url, connections: 1, rate: 0 };
  await runLoad({ ...load, bodies: requests, count: scaled(options, WARM_UP, 10) });
  const cpu = processCpu(node.pid);
  const run = await runLoad({ ...load, bodies: requests, count: scaled(options, MEASURED, 50) });
  const p99 = quantile(run.latencies, 0.99);
  return {
    name: `query-${name}`,
    what: `${WHAT[name]}, of ${events}`,
    events,
    rate: run.good / run.seconds,
    cost_us: ((processCpu(node.pid) - cpu) / run.good) * 1e6,
    ...latencies(run.latencies),
    must: `p99 ≤ ${MUST_MS} ms`,
    met: p99 <= MUST_MS,
  };
}

async function unselective(node: BenchNode, requests: string[], options: BenchOptions): Promise<BenchResult> {
  const load = { ...QUERIES, url: node.url, rate: 0, bodies: requests };
  await runLoad({ ...load, connections: STREAMS, count: scaled(options, 4 * STREAMS, STREAMS) });
  const before = privateMemory(node.pid);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, privateMemory(node.pid));
  }, 20);
  const run = await runLoad({ ...load, connections: STREAMS, count: scaled(options, 400, 2 * STREAMS) });
  clearInterval(watch);
  return {
    name: 'query-unselective',
    what: `1,000 events from anywhere, ${STREAMS} readers at once`,
    rate: (run.good * 1000) / run.seconds,
    ...latencies(run.latencies),
    growth_mib: (peak - before) / 2 ** 20,
    must: `memory grows by ≤ ${STREAM_BYTES / 2 ** 20} MiB`,
    met: peak - before <= STREAM_BYTES,
  };
}

/** Commits to another enclave of the same node: alone, and while one reader asks as fast as it is answered. */
async function beside(
  node: BenchNode,
  ask: (filter: object) => string,
  big: BigEnclave,
  options: BenchOptions,
): Promise<BenchResult[]> {
  const supply = await CommitSupply.open(node.url);
  const seconds = Math.max(1, BESIDE_SECONDS * Math.min(1, options.scale));
  const commits = {
    method: 'POST',
    path: '/',
    good: '"type":"Receipt"',
    url: node.url,
    connections: 256,
    rate: COMMIT_RATE,
  } as const;
  const run = () => runLoad({ ...commits, bodies: supply.bodies(COMMIT_RATE * seconds) });
  await run();
  const mixed = [...Object.values(selective(big)), pages(big)];
  const requests = Array.from({ length: MEASURED }, (_, n) => ask((mixed[n % mixed.length] as Filters)(n)));
  const row = (name: string, what: string, sorted: readonly number[]): BenchResult => ({
    name,
    what: `${COMMIT_RATE} commits/s, open loop, ${what}`,
    rate: COMMIT_RATE,
    ...latencies(sorted),
  });
  const alone = row('query-commits-alone', 'no queries', (await run()).latencies);
  const reading = runLoad({
    ...QUERIES,
    url: node.url,
    connections: 1,
    rate: 0,
    bodies: requests,
    count: 1_000_000,
    maxSeconds: seconds,
  });
  const both = row('query-commits-beside', 'one reader asks without a pause', (await run()).latencies);
  const { good } = await reading;
  return [alone, { ...both, queries: good }];
}
