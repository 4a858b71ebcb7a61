import { startNode } from './bench-node.ts';
import { runLoad } from './load/run-load.ts';
import { type BenchOptions, scaled } from './options.ts';
import { processCpu } from './process-cpu.ts';
import { type BenchResult, latencies } from './result.ts';

const WARM_UP = 20_000;
const MEASURED = 200_000;
const CONNECTIONS = 64;
const MUST = 20_000;

/** `GET /`, closed loop. */
export async function benchRoot(options: BenchOptions): Promise<BenchResult[]> {
  const node = await startNode({}, undefined, options.nodeArgs);
  try {
    const load = { url: node.url, method: 'GET', path: '/', connections: CONNECTIONS, rate: 0, good: '' } as const;
    await runLoad({ ...load, count: scaled(options, WARM_UP, 1000) });
    const cpu = processCpu(node.pid);
    const full = await runLoad({ ...load, count: scaled(options, MEASURED, 1000) });
    const rate = full.good / full.seconds;
    return [
      {
        name: 'root',
        what: `GET /, ${CONNECTIONS} connections`,
        rate,
        cost_us: ((processCpu(node.pid) - cpu) / full.good) * 1e6,
        ...latencies(full.latencies),
        must: `≥ ${MUST.toLocaleString('en')}/s`,
        met: rate >= MUST,
      },
    ];
  } finally {
    await node.stop();
  }
}
