import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { missing } from '../test/parts/redis.ts';
import { startNode } from './bench-node.ts';
import { ClusterHouse } from './cluster-house.ts';
import { CommitSupply } from './commit.ts';
import { quantile, runLoad } from './load/run-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { runCpu } from './process-cpu.ts';
import type { BenchResult } from './result.ts';

const CONNECTIONS = 64;
const WARM_UP = 20_000;
/** At one call in a hundred the code that makes spans is compiled late: so many calls that are traced go before. */
const TRACED_WARM_UP = 4000;
/** Every subject is measured in each round, one behind the other: what the machine does meanwhile hits all of them. */
const ROUNDS = 16;
const PER_ROUND = 5000;
const RECEIPT = '"type":"Receipt"';

/** Something that is measured beside others: a node or a cluster with its own enclave. */
interface Subject {
  readonly name: string;
  /** which of the subjects it is compared with, and by how much it may cost more */
  readonly base?: { readonly name: string; readonly must?: number };
  readonly url: string;
  readonly supply: CommitSupply;
  /** CPU seconds of router and shard so far */
  readonly cpu: () => number;
  readonly stop: () => Promise<void>;
}

/**
 * What traces cost: nodes without a receiver, with one call in a hundred sampled, and with all of them, side by side.
 * `against`: another checkout of this project, without traces or of before.
 */
export async function benchTraces(options: BenchOptions): Promise<BenchResult[]> {
  await using receiver = await Receiver.listen();
  const node = (name: string, env: Record<string, string>, base?: Subject['base'], root?: string) => () =>
    nodeSubject(name, env, base, options, root);
  const { against } = options;
  const nodes = [
    ...(against ? [node('traces-before', {}, undefined, against)] : []),
    node('traces-off', {}, against ? { name: 'traces-before', must: 0.01 } : undefined),
    node('traces-1-percent', receiver.env('0.01'), { name: 'traces-off', must: 0.03 }),
    node('traces-all', receiver.env('1'), { name: 'traces-off' }),
  ];
  return await sideBySide(nodes, options);
}

/** The same for router and shard of a cluster, without a receiver and with one call in a hundred. */
export async function benchClusterTraces(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`traces-cluster: left out, ${missing}`);
    return [];
  }
  await using receiver = await Receiver.listen();
  const cluster = (name: string, env: Record<string, string>, base?: Subject['base']) => () =>
    clusterSubject(name, env, base, options);
  const off = 'traces-cluster-off';
  return await sideBySide(
    [cluster(off, {}), cluster('traces-cluster-1-percent', receiver.env('0.01'), { name: off, must: 0.03 })],
    options,
  );
}

async function sideBySide(starts: readonly (() => Promise<Subject>)[], options: BenchOptions): Promise<BenchResult[]> {
  const subjects: Subject[] = [];
  try {
    for (const start of starts) subjects.push(await start());
    for (const subject of subjects) {
      await load(subject, scaled(options, WARM_UP, 500));
      await traced(subject, scaled(options, TRACED_WARM_UP, 500));
    }
    const rounds = scaled(options, ROUNDS, 2);
    const costs = new Map(subjects.map((subject) => [subject.name, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      // Each takes every place in the order in turn.
      for (let i = 0; i < subjects.length; i++) {
        const subject = subjects[(i + round) % subjects.length] as Subject;
        costs.get(subject.name)?.push(await load(subject, PER_ROUND));
      }
    }
    return subjects.map((subject) => row(subject, costs));
  } finally {
    for (const subject of subjects) await subject.stop();
  }
}

/** CPU of one commit, µs. */
async function load({ url, supply, cpu }: Subject, commits: number): Promise<number> {
  const bodies = supply.bodies(commits);
  const before = cpu();
  const { good } = await runLoad({
    ...{ url, method: 'POST', path: '/', connections: CONNECTIONS, good: RECEIPT, rate: 0, bodies },
  });
  return ((cpu() - before) / good) * 1e6;
}

/** Commits of a caller that samples each of them. */
async function traced({ url, supply }: Subject, commits: number): Promise<void> {
  const bodies = supply.bodies(commits);
  const next = async (): Promise<void> => {
    for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
      const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
      const response = await fetch(url, { method: 'POST', body, headers: { traceparent } });
      await response.text();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, next));
}

/**
 * The cost and, of those of the same round, how much more it is than the base's: medians, which a round that something else
 * disturbed moves little, and the standard error of the latter, from the median deviation.
 */
function row({ name, base }: Subject, costs: ReadonlyMap<string, readonly number[]>): BenchResult {
  const own = costs.get(name) ?? [];
  const what = 'CPU of a commit, one per POST, 64 connections, in turn with the others';
  const cost = { name, what, cost_us: median(own), rounds: own.length };
  if (!base) return cost;
  const more = own.map((each, i) => each / (costs.get(base.name)?.[i] as number) - 1);
  const by = median(more);
  const sigma = 1.48 * median(more.map((each) => Math.abs(each - by)));
  const error = (1.25 * sigma) / Math.sqrt(more.length);
  const compared = { ...cost, more_percent: by * 100, error_percent: error * 100 };
  if (base.must === undefined) return compared;
  return { ...compared, must: `≤ ${base.must * 100} % more than ${base.name}`, met: by <= base.must };
}

const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

async function nodeSubject(
  name: string,
  env: Record<string, string>,
  base: Subject['base'],
  options: BenchOptions,
  root?: string,
): Promise<Subject> {
  const entry = root && join(root, 'shard/main.ts');
  const node = await startNode(env, undefined, options.nodeArgs, entry);
  const supply = await CommitSupply.open(node.url);
  const cpu = (): number => runCpu(node.pid);
  return { name, ...(base && { base }), url: node.url, supply, cpu, stop: () => node.stop() };
}

async function clusterSubject(
  name: string,
  env: Record<string, string>,
  base: Subject['base'],
  options: BenchOptions,
): Promise<Subject> {
  const house = await ClusterHouse.start({ shards: 1, env, nodeArgs: options.nodeArgs });
  const supply = await CommitSupply.open(house.url);
  const cpu = (): number => house.cluster.pids(/^(router|shard)/).reduce((sum, pid) => sum + runCpu(pid), 0);
  return { name, ...(base && { base }), url: house.url, supply, cpu, stop: () => house.remove() };
}

/** Takes whatever is sent to it, in this process. */
class Receiver implements AsyncDisposable {
  readonly #server = createServer((request, response) => request.resume().on('end', () => response.end()));

  static async listen(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => void receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  /** Has a process send this share of its calls here. */
  env(ratio: string): Record<string, string> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: ratio,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
