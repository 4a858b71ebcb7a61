import { startNode } from './bench-node.ts';
import { quantile, runLoad } from './load/run-load.ts';
import { processCpu } from './process-cpu.ts';
import type { BenchResult } from './result.ts';

/** `GET /`, closed loop. */
export async function benchRoot(): Promise<BenchResult[]> {
  const node = await startNode();
  try {
    const load = { url: node.url, method: 'GET', path: '/', connections: 64, rate: 0, good: '' } as const;
    await runLoad({ ...load, count: 20_000 });
    const cpu = processCpu(node.pid);
    const full = await runLoad({ ...load, count: 200_000 });
    const rate = full.good / full.seconds;
    return [{
      name: 'root', what: 'GET /, 64 connections', rate, cost_us: ((processCpu(node.pid) - cpu) / full.good) * 1e6,
      p50_ms: quantile(full.latencies, 0.5), p99_ms: quantile(full.latencies, 0.99), must: '≥ 20,000/s', met: rate >= 20_000,
    }];
  } finally {
    await node.stop();
  }
}
