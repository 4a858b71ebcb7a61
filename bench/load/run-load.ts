import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadJob, LoadResult } from './generator.ts';

const GENERATOR = new URL('generator.ts', import.meta.url).pathname;
const DEADLINE_MS = 15 * 60_000;

/** Runs one load in a process of its own, so that its CPU is apart from the node's. */
export async function runLoad(job: Omit<LoadJob, 'bodies' | 'count'> & { bodies?: readonly string[]; count?: number }): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-load-'));
  const file = job.bodies ? join(folder, 'bodies') : null;
  if (file && job.bodies) writeFileSync(file, job.bodies.join('\n'));
  const child = fork(GENERATOR, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  try {
    return await new Promise<LoadResult>((resolve, reject) => {
      child.once('message', (result) => resolve(result as LoadResult));
      child.once('exit', (code) => reject(new Error(`the load generator ended with ${code}`)));
      child.send({ ...job, bodies: file, count: job.count ?? 0 });
    });
  } finally {
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The value below which the share `q` of sorted values lies. */
export const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
