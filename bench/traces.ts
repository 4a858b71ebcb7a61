import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { missing } from '../test/parts/redis.ts';
import { startNode } from './bench-node.ts';
import { ClusterHouse } from './cluster-house.ts';
import { CommitSupply } from './commit.ts';
import { median, runLoad } from './load/run-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { runCpu } from './process-cpu.ts';
import type { BenchResult } from './result.ts';

const CONNECTIONS = 64;
const WARM_UP = 12_000;
/** At one call in a hundred the code that makes spans is compiled late: so many calls that are traced go before. */
const TRACED_WARM_UP = 4000;
/**
 * What a process costs depends on what its compiler happened to choose, by up to a tenth for all of its life. So all of it is
 * done several times, with processes started anew, and what can be compared within one process is.
 */
const CASTINGS = 7;
/** Every subject is measured in each round, one behind the other: what the machine does meanwhile hits all of them. */
const ROUNDS = 8;
const PER_ROUND = 5000;
/** Spans are sent within this time, ms; a load is not over before. */
const EXPORT_MS = 500;
const SENT_MS = EXPORT_MS + 200;
const RECEIPT = '"type":"Receipt"';

/** A node or a cluster with an enclave of its own. */
interface House {
  readonly url: string;
  readonly supply: CommitSupply;
  /** CPU seconds of router and shard so far */
  readonly cpu: () => number;
  readonly stop: () => Promise<void>;
}

/** Something that is measured beside others. */
interface Subject {
  readonly name: string;
  /** which of the subjects it is compared with, and by how much it may cost more */
  readonly base: { readonly name: string; readonly must?: number } | null;
  /** of its calls one in so many is sampled; 0: none names a trace */
  readonly tracedEvery: number;
}

/** A house to start, and what is measured in it. */
interface Part {
  readonly start: () => Promise<House>;
  readonly subjects: readonly Subject[];
}

/** What each subject cost, µs. */
type Casting = ReadonlyMap<string, number>;

/**
 * What traces cost: nodes without a receiver, and with one when no call is sampled, and one in a hundred.
 * `against`: another checkout of this project, without traces or of before.
 */
export async function benchTraces(options: BenchOptions): Promise<BenchResult[]> {
  await using receiver = await Receiver.listen();
  const { against } = options;
  const before: Part[] = against
    ? [
        {
          start: () => nodeHouse({}, options, against),
          subjects: [{ name: 'traces-before', base: null, tracedEvery: 0 }],
        },
      ]
    : [];
  const off = { name: 'traces-off', base: against ? { name: 'traces-before', must: 0.01 } : null, tracedEvery: 0 };
  return await sideBySide(
    [
      ...before,
      { start: () => nodeHouse({}, options), subjects: [off] },
      { start: () => nodeHouse(receiver.env, options), subjects: sampled('traces') },
    ],
    options,
  );
}

/** The same for router and shard of a cluster. */
export async function benchClusterTraces(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`traces-cluster: left out, ${missing}`);
    return [];
  }
  await using receiver = await Receiver.listen();
  const off = { name: 'traces-cluster-off', base: null, tracedEvery: 0 };
  return await sideBySide(
    [
      { start: () => clusterHouse({}, options), subjects: [off] },
      { start: () => clusterHouse(receiver.env, options), subjects: sampled('traces-cluster') },
    ],
    options,
  );
}

/** In one house that has a receiver, callers decide. */
function sampled(name: string): readonly Subject[] {
  const none = `${name}-none`;
  return [
    { name: none, base: { name: `${name}-off` }, tracedEvery: Number.MAX_SAFE_INTEGER },
    { name: `${name}-1-percent`, base: { name: none, must: 0.03 }, tracedEvery: 100 },
  ];
}

async function sideBySide(parts: readonly Part[], options: BenchOptions): Promise<BenchResult[]> {
  const castings: Casting[] = [];
  const count = scaled(options, CASTINGS);
  while (castings.length < count) {
    castings.push(await cast(parts, options));
    console.log(`  ${castings.length} of ${count} castings`);
  }
  return parts.flatMap(({ subjects }) => subjects.map((subject) => row(subject, castings)));
}

/** Every house is started, measured and stopped. */
async function cast(parts: readonly Part[], options: BenchOptions): Promise<Casting> {
  const houses: House[] = [];
  try {
    for (const { start } of parts) houses.push(await start());
    for (const house of houses) {
      await load(house, 0, scaled(options, WARM_UP, 500));
      await load(house, 1, scaled(options, TRACED_WARM_UP, 500));
    }
    const all = parts.flatMap(({ subjects }, i) =>
      subjects.map((subject) => ({ ...subject, house: houses[i] as House, costs: [] as number[] })),
    );
    for (let round = 0; round < scaled(options, ROUNDS, 2); round++) {
      // Each takes every place in the order in turn.
      for (let i = 0; i < all.length; i++) {
        const { house, tracedEvery, costs } = all[(i + round) % all.length] as (typeof all)[number];
        costs.push(await load(house, tracedEvery, PER_ROUND));
      }
    }
    return new Map(all.map(({ name, costs }) => [name, median(costs)]));
  } finally {
    for (const house of houses) await house.stop();
  }
}

/** CPU of one commit, µs. */
async function load({ url, supply, cpu }: House, tracedEvery: number, commits: number): Promise<number> {
  const bodies = supply.bodies(commits);
  const before = cpu();
  const { good } = await runLoad({
    ...{ url, method: 'POST', path: '/', connections: CONNECTIONS, good: RECEIPT, rate: 0, bodies, tracedEvery },
  });
  await sleep(SENT_MS);
  return ((cpu() - before) / good) * 1e6;
}

/**
 * The cost and, of those of the same casting, how much more it is than the base's: medians, which a casting that something
 * else disturbed moves little, and the standard error of the latter, from the median deviation.
 */
function row({ name, base }: Subject, castings: readonly Casting[]): BenchResult {
  const costs = castings.map((casting) => casting.get(name) as number);
  const what = `CPU of a commit, one per POST, 64 connections, in turn with the others; ${castings.length} times with new processes`;
  const cost = { name, what, cost_us: median(costs) };
  if (!base) return cost;
  const more = castings.map((casting, i) => (costs[i] as number) / (casting.get(base.name) as number) - 1);
  const by = median(more);
  const sigma = 1.48 * median(more.map((each) => Math.abs(each - by)));
  const error = (1.25 * sigma) / Math.sqrt(more.length);
  const compared = { ...cost, more_percent: by * 100, error_percent: error * 100 };
  if (base.must === undefined) return compared;
  return { ...compared, must: `≤ ${base.must * 100} % more than ${base.name}`, met: by <= base.must };
}

async function nodeHouse(env: Record<string, string>, options: BenchOptions, root?: string): Promise<House> {
  const entry = root && join(root, 'shard/main.ts');
  const node = await startNode(env, undefined, options.nodeArgs, entry);
  const supply = await CommitSupply.open(node.url);
  return { url: node.url, supply, cpu: () => runCpu(node.pid), stop: () => node.stop() };
}

async function clusterHouse(env: Record<string, string>, options: BenchOptions): Promise<House> {
  const house = await ClusterHouse.start({ shards: 1, env, nodeArgs: options.nodeArgs });
  const supply = await CommitSupply.open(house.url);
  const cpu = (): number => house.cluster.pids(/^(router|shard)/).reduce((sum, pid) => sum + runCpu(pid), 0);
  return { url: house.url, supply, cpu, stop: () => house.remove() };
}

/** Takes whatever is sent to it, in this process. */
class Receiver implements AsyncDisposable {
  readonly #server = createServer((request, response) => request.resume().on('end', () => response.end()));

  static async listen(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => void receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  /** Has a process send here what its callers sample. */
  get env(): Record<string, string> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0',
      OTEL_BSP_SCHEDULE_DELAY: String(EXPORT_MS),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
