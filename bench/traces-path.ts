import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { PendingCommit } from '../shard/enclave/commit.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { Corpus } from './corpus.ts';
import { type BenchOptions, scaled } from './options.ts';
import type { BenchResult } from './result.ts';

const HERE = new URL('..', import.meta.url).href;
/** Commits of a batch, about as many as 64 connections make; batches of one measurement; measurements of each path. */
const BATCH = 32;
const CHUNK = 150;
const ROUNDS = 60;
const SAMPLED = 0.01;
/** CPU of a whole commit on a single node, µs (docs/performance.md): what the shares below are shares of. */
const COMMIT_US = 138;
/** Of it traces may cost so much more. */
const MUSTS: Readonly<Record<string, number>> = { off: 0.01, '1-percent': 0.03 };
const RECEIPT = Buffer.from(`{"type":"Receipt","id":"${'a'.repeat(64)}","rest":"${'b'.repeat(400)}"}`);

/** Carries `batches` of commits along the path of a commit. */
type Path = (batches: number) => Promise<void>;

/**
 * What traces add to a commit's path on the main thread, from its body to its answer: some ns that are lost in the noise of
 * a whole node. Signatures, kernel, log and guard, which are the same with and without, answer at once.
 */
export async function benchTracePath(options: BenchOptions): Promise<BenchResult[]> {
  const sink = fork(new URL('traces-sink.ts', import.meta.url));
  const [port] = (await once(sink, 'message')) as [number];
  const [all, one] = await Promise.all([open(port, 1), open(port, SAMPLED)]);
  try {
    const paths = new Map<string, Path>();
    if (options.against) paths.set('before', await path(pathToFileURL(`${options.against}/`).href, null));
    paths.set('off', await path(HERE, null)).set('1-percent', await path(HERE, one));
    // At one call in a hundred the code that makes spans would be compiled late.
    await (await path(HERE, all))(CHUNK);
    for (const carry of paths.values()) await carry(3 * CHUNK);
    const cpu = await measured(paths, scaled(options, ROUNDS, 4));
    return [...cpu].map(([name, us]) => row(name, us, cpu));
  } finally {
    for (const tracing of [all, one]) await tracing.close();
    sink.disconnect();
  }
}

/** CPU of a commit on each path, µs, all threads: the exports are in it. */
async function measured(paths: ReadonlyMap<string, Path>, rounds: number): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const turns = round % 2 === 0 ? [...paths] : [...paths].reverse();
    for (const [name, carry] of turns) {
      const before = process.cpuUsage();
      await carry(CHUNK);
      // What is under way to the receiver belongs to it.
      await sleep(10);
      const { user, system } = process.cpuUsage(before);
      sums.set(name, (sums.get(name) ?? 0) + user + system);
    }
  }
  return new Map([...sums].map(([name, sum]) => [name, sum / (rounds * CHUNK * BATCH)]));
}

function row(name: string, us: number, all: ReadonlyMap<string, number>): BenchResult {
  const base = name === 'off' ? all.get('before') : name === '1-percent' ? all.get('off') : undefined;
  const what = 'CPU of a commit from its body to its answer, without signatures, kernel, log and guard';
  const cost = { name: `traces-path-${name}`, what, cost_us: us };
  if (base === undefined) return cost;
  const [share, must] = [(us - base) / COMMIT_US, MUSTS[name] as number];
  return {
    ...cost,
    more_us: us - base,
    percent_of_commit: share * 100,
    must: `≤ ${must * 100} % of a commit's ${COMMIT_US} µs more`,
    met: share <= must,
  };
}

async function open(port: number, ratio: number): Promise<Tracing> {
  const tracing = await openTracing(
    {
      url: `http://127.0.0.1:${port}/v1/traces`,
      compression: 'none',
      timeout: 5000,
      sampling: { ratio, parentBased: true },
      resource: {},
      queue: { size: 2048, batch: 512, delay: 5000, timeout: 5000 },
    },
    { service: 'bench', version: '0', shard: null, headers: {}, warn: () => {} },
  );
  return tracing as Tracing;
}

/** The path as the checkout at `root` has it. */
async function path(root: string, tracing: Tracing | null): Promise<Path> {
  const { HttpExchange } = await import(`${root}shard/api/http-exchange.ts`);
  const { post } = await import(`${root}shard/api/post.ts`);
  const { Intake } = await import(`${root}shard/enclave/intake.ts`);
  const { createWasmInspector } = await import(`${root}kernel/wasm-inspector.ts`);
  const { loadWasmModule } = await import(`${root}kernel/wasm-module.ts`);
  const { BatchTrace } = tracing ? await import(`${root}shard/enclave/batch-trace.ts`) : { BatchTrace: null };
  const inspector = createWasmInspector(await loadWasmModule(), { maxCommit: 1 << 20, maxArray: 1000 });
  let waiting: PendingCommit[] = [];
  const actor = { push: (commit: PendingCommit) => void waiting.push(commit), pump: () => {} };
  const good = new Uint8Array(BATCH).fill(1);
  const pool = {
    verify: (_jobs: Uint8Array, count: number, done: (results: Uint8Array) => void) => done(good.subarray(0, count)),
  };
  const admission = { enclaveRate: () => 0, limitsAddresses: false };
  const intake = new Intake({ maxPendingBytes: 1 << 28 }, { enclaves: { get: () => actor }, admission, pool });
  const context = { inspector, intake, admission, metrics: null };
  const modules = { api: {}, isAdmin: () => false, metrics: null, logger: null, tracing };
  const [request, response] = call();
  const body = await oneCommit();
  return async (batches) => {
    for (let batch = 0; batch < batches; batch++) {
      for (let i = 0; i < BATCH; i++) post(context, 'post', new HttpExchange(request, response, body, modules));
      while (waiting.length < BATCH) await turn();
      const traced = BatchTrace && batchTrace(BatchTrace, waiting);
      for (const commit of waiting) commit.reply(0, RECEIPT);
      traced?.released();
      waiting = [];
    }
  };
}

/** What the actor does for a batch with traced commits in it, null if there are none. */
function batchTrace(
  BatchTrace: typeof import('../shard/enclave/batch-trace.ts').BatchTrace,
  accepted: PendingCommit[],
) {
  let traced: InstanceType<typeof BatchTrace> | null = null;
  for (const { trace } of accepted) {
    if (trace === null) continue;
    traced ??= new BatchTrace(performance.now());
    traced.add(trace);
  }
  if (traced === null) return null;
  for (const mark of ['staged', 'signed', 'sealing', 'sealed', 'appended', 'guarded'] as const) traced.mark(mark);
  const offsets = Uint32Array.from({ length: BATCH + 1 }, (_, i) => i * RECEIPT.length);
  const receipts = Buffer.concat(accepted.map(() => RECEIPT));
  const sealed = { firstSeq: 1, skeleton: RECEIPT, content: RECEIPT, receipts, offsets };
  traced.releasing(Buffer.alloc(32), { accepted, duplicates: [], refused: [], sealed: sealed as never });
  return traced;
}

function call(): [IncomingMessage, ServerResponse] {
  const rawHeaders = [
    'host',
    'localhost',
    'content-type',
    'application/json',
    'content-length',
    '600',
    'accept',
    '*/*',
  ];
  const request = { rawHeaders, headers: {}, method: 'POST', url: '/', httpVersion: '1.1', socket: {} };
  const response = {
    writeHead: () => {},
    end: () => {},
    once: (_event: string, closed: () => void) => setImmediate(closed),
  };
  return [request, { ...response, writableFinished: true }] as unknown as [IncomingMessage, ServerResponse];
}

async function oneCommit(): Promise<Buffer> {
  const corpus = await Corpus.open();
  const draft = { type: 'note', content: `{"text":"${'enclave '.repeat(22)}"}`, exp: Date.now() + 590_000 };
  return Buffer.from(corpus.commit(corpus.author(1), 'ab'.repeat(32), draft));
}
