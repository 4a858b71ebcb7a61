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
/** Looks at the heap behind the first one. */
const STEPS = 6;
/** Share of the enclaves before the first look, and at least so many, but no more than half: what is allocated once, or up
 *  to a bound (compiled code, buffers, caches of so many entries), must not count as if it went on for ever. */
const WARM_UP = 0.1;
const WARM_UP_LEAST = 10_000;
/** Manifests that are signed and sent at once. */
const CHUNK = 10_000;
const CONNECTIONS = 256;
/** The heap of an idle process moves by some KiB between two collections; a reference alone takes 8 bytes. */
const HEAP_BYTES = 8;
/** An open bundle of these enclaves is due 5 seconds after its first event. */
const CLOSED_SECONDS = 15;
const ACTIVE = 1000;
const ACTIVE_KIB = 200;
const ASLEEP_DEADLINE_MS = 120_000;

/** Enclaves that sleep, and enclaves that are awake: what one of them adds to the memory of the process, and to the disk. */
export async function benchIdle(options: BenchOptions): Promise<BenchResult[]> {
  const corpus = await Corpus.open();
  return [...(await asleep(corpus, options)), await awake(corpus, options)];
}

async function asleep(corpus: Corpus, options: BenchOptions): Promise<BenchResult[]> {
  const node = await startNode({ ENC_IDLE_AFTER_MS: '1000' }, undefined, probed(options));
  try {
    let made = Math.round(Math.min(options.enclaves / 2, Math.max(options.enclaves * WARM_UP, WARM_UP_LEAST)));
    await create(node, corpus, 0, made);
    await allClosed(node, made);
    await allAsleep(node);
    const points = [await look(node, made)];
    const spent = { seconds: 0, cpu: 0, closed: 0 };
    const more = Math.round((options.enclaves - made) / STEPS);
    for (let step = 0; step < STEPS; step++) {
      const cpu = processCpu(node.pid);
      spent.seconds += await create(node, corpus, made, more);
      made += more;
      spent.closed = Math.max(spent.closed, await allClosed(node, made));
      await allAsleep(node);
      spent.cpu += processCpu(node.pid) - cpu;
      points.push(await look(node, made));
      console.log(`  ${made} enclaves, ${Math.round(((step + 1) * more) / spent.seconds)} per second`);
    }
    const heap = slope(points.map(({ enclaves, heap }) => [enclaves, heap]));
    const [first, last] = [points[0] as Point, points.at(-1) as Point];
    const counted = last.enclaves - first.enclaves;
    return [
      {
        name: 'idle',
        what: `${made} enclaves created, all asleep: heap and buffers after a collection, per enclave`,
        heap_bytes: heap,
        private_bytes: slope(points.map(({ enclaves, memory }) => [enclaves, memory])),
        disk_bytes: (last.disk - first.disk) / counted,
        rate: counted / spent.seconds,
        cost_us: (spent.cpu / counted) * 1e6,
        closed_s: spent.closed,
        heap_mib: last.heap / 2 ** 20,
        enclaves: made,
        must: `heap grows by < ${HEAP_BYTES} bytes each, bundles closed in ${CLOSED_SECONDS} s`,
        met: heap < HEAP_BYTES && spent.closed < CLOSED_SECONDS,
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

/** Seconds from the first request to the last answer, without what it takes to sign. */
async function create(node: BenchNode, corpus: Corpus, from: number, count: number): Promise<number> {
  const [owner, member] = [corpus.author(0), corpus.author(1)];
  const sign = (done: number): string[] => {
    const exp = Date.now() + 590_000;
    const length = Math.min(CHUNK, count - done);
    return Array.from({ length }, (_, i) => corpus.manifest(owner, [member], String(from + done + i), exp).text);
  };
  let seconds = 0;
  let bodies = sign(0);
  for (let done = 0; done < count; done += CHUNK) {
    const run = runLoad({
      url: node.url,
      method: 'POST',
      path: '/',
      connections: CONNECTIONS,
      rate: 0,
      good: '"type":"Receipt"',
      bodies,
    });
    bodies = sign(done + CHUNK);
    seconds += (await run).seconds;
  }
  return seconds;
}

/** Waits until the bundle of every enclave is closed; seconds. */
async function allClosed(node: BenchNode, enclaves: number): Promise<number> {
  const begun = performance.now();
  for (;;) {
    const metric = await readMetrics(node.operatorUrl);
    const seconds = (performance.now() - begun) / 1000;
    if (metric('enc_bundles_closed_total') >= enclaves) return seconds;
    if (seconds * 1000 > ASLEEP_DEADLINE_MS) throw new Error('bundles stay open');
    await sleep(200);
  }
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

/** The median of the slopes between any two points (Theil–Sen): one look at an untidy heap does not tilt it. */
function slope(points: readonly (readonly [number, number])[]): number {
  const slopes = points.flatMap(([x, y], i) => points.slice(0, i).map(([a, b]) => (y - b) / (x - a)));
  slopes.sort((a, b) => a - b);
  const middle = slopes.length / 2;
  return ((slopes[Math.ceil(middle) - 1] as number) + (slopes[Math.floor(middle)] as number)) / 2;
}
