import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { quantile } from './load/run-load.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly system: string;
  readonly node: string;
  /** median and 99th percentile of one 4 KiB append + fdatasync where the data folders lie, ms */
  readonly sync_ms: number;
  readonly sync_p99_ms: number;
  /** load average of the last minute, before the benches: on a quiet machine near 0 */
  readonly load: number;
  /** YYYY-MM-DD */
  readonly measured: string;
}

const SYNCS = 300;

/** The machine that figures belong to. */
export function machine(): Machine {
  const [one] = cpus();
  const sync = syncTimes();
  return {
    cpu: one?.model.trim() || cpuModel(),
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    sync_ms: quantile(sync, 0.5),
    sync_p99_ms: quantile(sync, 0.99),
    load: loadavg()[0] ?? 0,
    measured: new Date().toISOString().slice(0, 10),
  };
}

function cpuModel(): string {
  return /^(?:model name|CPU part)\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
}

function syncTimes(): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'enc-sync-'));
  const fd = openSync(join(folder, 'file'), 'w');
  const page = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let i = 0; i < SYNCS; i++) {
    const start = performance.now();
    writeSync(fd, page);
    fdatasyncSync(fd);
    times.push(performance.now() - start);
  }
  closeSync(fd);
  rmSync(folder, { recursive: true });
  return times.sort((a, b) => a - b);
}
