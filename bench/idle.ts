import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchNode, startNode } from './bench-node.ts';
import { Corpus } from './corpus.ts';
import { runLoad } from './load/run-load.ts';
import { readMetrics } from './operator.ts';
import type { BenchOptions } from './options.ts';
import { privateMemory, processCpu } from './process-cpu.ts';
import type { BenchResult } from './result.ts';

const PROBE = new URL('heap-probe.ts', import.meta.url).pathname;
/** Enclaves between two looks at the heap, and before the first one: what is allocated once must not count. */
const STEPS = 4;
const WARM_UP = 0.25;
/** Manifests that are signed and sent at once. */
const CHUNK = 5000;
const CONNECTIONS = 64;
/** The heap of an idle process moves by some KiB between two collections; a reference alone takes 8 bytes. */
const HEAP_BYTES = 8;
const ACTIVE = 1000;
const ACTIVE_KIB = 200;
const ASLEEP_DEADLINE_MS = 120_000;

/** Enclaves that sleep, and enclaves that are awake: what one of them adds to the memory of the process, and to the disk. */
export async function benchIdle(options: BenchOptions): Promise<BenchResult[]> {
  const corpus = await Corpus.open();
  return [...(await asleep(corpus, options)), await awake(corpus, options)];
}

async function asleep(corpus: Corpus, options: BenchOptions): Promise<BenchResult[]> {
  const node = await startNode({ ENC_IDLE_AFTER_MS: '1000', ENC_MAX_ACTIVE: '1000' }, undefined, probed(options));
  try {
    let made = Math.round(options.enclaves * WARM_UP);
    await create(node, corpus, 0, made);
    await allAsleep(node);
    const points = [await look(node, made)];
    const spent = { seconds: 0, cpu: 0 };
    for (let step = 0; step < STEPS; step++) {
      const more = Math.round((options.enclaves * (1 - WARM_UP)) / STEPS);
      const { seconds, cpu } = await create(node, corpus, made, more);
      spent.seconds += seconds;
      spent.cpu += cpu;
      made += more;
      await allAsleep(node);
      points.push(await look(node, made));
    }
    const heap = slope(points.map(({ enclaves, heap }) => [enclaves, heap]));
    const [first, last] = [points[0] as Point, points.at(-1) as Point];
    const more = last.enclaves - first.enclaves;
    return [
      {
        name: 'idle',
        what: `${made} enclaves created, all asleep: heap and buffers after a collection, per enclave`,
        heap_bytes: heap,
        private_bytes: slope(points.map(({ enclaves, memory }) => [enclaves, memory])),
        disk_bytes: (last.disk - first.disk) / more,
        rate: more / spent.seconds,
        cost_us: (spent.cpu / more) * 1e6,
        heap_mib: last.heap / 2 ** 20,
        enclaves: made,
        must: `heap grows by < ${HEAP_BYTES} bytes each`,
        met: heap < HEAP_BYTES,
      },
    ];
  } finally {
    await node.stop();
  }
}

async function awake(corpus: Corpus, options: BenchOptions): Promise<BenchResult> {
  const node = await startNode({ ENC_IDLE_AFTER_MS: '3600000' }, undefined, probed(options));
  try {
    const points: Point[] = [];
    for (let made = 0; made <= ACTIVE; made += ACTIVE / 2) {
      if (made > 0) await create(node, corpus, made - ACTIVE / 2, ACTIVE / 2);
      else await create(node, corpus, 1_000_000, 200);
      points.push(await look(node, made));
    }
    const each = slope(points.map(({ enclaves, memory }) => [enclaves, memory])) / 1024;
    const metric = await readMetrics(node.operatorUrl);
    return {
      name: 'active',
      what: `${ACTIVE} enclaves in memory: private memory of the process, per enclave`,
      active_kib: each,
      kernel_kib: metric('enc_kernel_memory_bytes') / metric('enc_active_enclaves') / 1024,
      must: `≤ ${ACTIVE_KIB} KiB`,
      met: each <= ACTIVE_KIB,
    };
  } finally {
    await node.stop();
  }
}

const probed = (options: BenchOptions): string[] => ['--expose-gc', '--import', PROBE, ...options.nodeArgs];

/** Wall time and CPU of the node that it took, seconds. */
async function create(
  node: BenchNode,
  corpus: Corpus,
  from: number,
  count: number,
): Promise<{ seconds: number; cpu: number }> {
  const spent = { seconds: 0, cpu: 0 };
  const [owner, member] = [corpus.author(0), corpus.author(1)];
  for (let done = 0; done < count; done += CHUNK) {
    const exp = Date.now() + 300_000;
    const bodies = Array.from(
      { length: Math.min(CHUNK, count - done) },
      (_, i) => corpus.manifest(owner, [member], String(from + done + i), exp).text,
    );
    const before = processCpu(node.pid);
    const run = await runLoad({
      url: node.url,
      method: 'POST',
      path: '/',
      connections: CONNECTIONS,
      rate: 0,
      good: '"type":"Receipt"',
      bodies,
    });
    spent.seconds += run.seconds;
    spent.cpu += processCpu(node.pid) - before;
  }
  return spent;
}

/** Waits until the node has put every enclave to sleep. */
async function allAsleep(node: BenchNode): Promise<void> {
  const deadline = performance.now() + ASLEEP_DEADLINE_MS;
  for (;;) {
    const metric = await readMetrics(node.operatorUrl);
    if (metric('enc_active_enclaves') === 0) return;
    if (performance.now() > deadline) throw new Error('enclaves stay awake');
    await sleep(500);
  }
}

interface Point {
  readonly enclaves: number;
  /** heap and buffers in use after a collection, bytes */
  readonly heap: number;
  /** private memory of the process, bytes */
  readonly memory: number;
  /** allocated in the data folder, bytes */
  readonly disk: number;
}

async function look(node: BenchNode, enclaves: number): Promise<Point> {
  process.kill(node.pid, 'SIGUSR2');
  const [line] = (await once(node.probe, 'data')) as [Buffer];
  const { heapUsed, external } = JSON.parse(line.toString()) as { heapUsed: number; external: number };
  return { enclaves, heap: heapUsed + external, memory: privateMemory(node.pid), disk: allocated(node.data) };
}

function allocated(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).blocks * 512, 0);
}

/** Of the straight line through the points (least squares). */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
