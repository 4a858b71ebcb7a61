import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchNode, startNode } from './bench-node.ts';
import { fillEnclave } from './big-enclave.ts';
import { Corpus } from './corpus.ts';
import { readMetrics } from './operator.ts';
import { type BenchOptions, scaled } from './options.ts';
import { type BenchResult, latencies } from './result.ts';

const EVENTS = 100_000;
const OPENINGS = 40;
const MUST_MS = 50;

/**
 * Opening of a sleeping enclave (metric enc_hydrate_seconds). The node holds one enclave in memory, so reading a small
 * one puts the large one to sleep. The very first opening of a process compiles code and is reported apart.
 */
export async function benchHydrate(options: BenchOptions): Promise<BenchResult[]> {
  const events = scaled(options, EVENTS, 10_000);
  const openings = scaled(options, OPENINGS, 10);
  const stored = await opened(events, true, options, async (open) => {
    const first = await open();
    const times: number[] = [];
    for (let i = 0; i < openings; i++) times.push(await open());
    return { first, times: times.sort((a, b) => a - b) };
  });
  // Once opened it has a checkpoint, so there is one opening without.
  const replayed = await opened(events, false, options, (open) => open());
  const warm = latencies(stored.times);
  return [
    {
      name: 'hydrate',
      what: `opening of an enclave of ${events} events from its checkpoint`,
      ...warm,
      first_ms: stored.first,
      must: `p99 ≤ ${MUST_MS} ms`,
      met: warm.p99_ms <= MUST_MS,
      events,
    },
    {
      name: 'hydrate-replay',
      what: 'the same without a checkpoint: all of its log is replayed',
      p50_ms: replayed,
      rate: (events / replayed) * 1000,
      events,
    },
  ];
}

/** Fills a folder, starts a node on it and gives `measure` a function that opens the enclave; ms. */
async function opened<T>(
  events: number,
  checkpoints: boolean,
  options: BenchOptions,
  measure: (open: () => Promise<number>) => Promise<T>,
): Promise<T> {
  const data = mkdtempSync(join(tmpdir(), 'enc-bench-'));
  try {
    const { enclave } = await fillEnclave(data, events, checkpoints);
    const node = await startNode({ ENC_MAX_ACTIVE: '1' }, data, options.nodeArgs);
    try {
      const small = await smallEnclave(node);
      return await measure(async () => {
        await read(node, small);
        const before = await hydrations(node);
        await read(node, enclave);
        const after = await hydrations(node);
        if (after.count !== before.count + 1) throw new Error('the enclave was not asleep');
        return (after.sum - before.sum) * 1000;
      });
    } finally {
      await node.stop(false);
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

async function smallEnclave(node: BenchNode): Promise<string> {
  const corpus = await Corpus.open();
  const exp = Date.now() + 300_000;
  const { enclave, text } = corpus.manifest(corpus.author(0), [corpus.author(1)], 'small', exp);
  const response = await fetch(node.url, { method: 'POST', body: text });
  if (!response.ok) throw new Error(await response.text());
  return enclave;
}

async function read(node: BenchNode, enclave: string): Promise<void> {
  const response = await fetch(`${node.url}/${enclave}/sth`);
  if (!response.ok) throw new Error(await response.text());
}

async function hydrations(node: BenchNode): Promise<{ sum: number; count: number }> {
  const metric = await readMetrics(node.operatorUrl);
  return { sum: metric('enc_hydrate_seconds_sum'), count: metric('enc_hydrate_seconds_count') };
}
