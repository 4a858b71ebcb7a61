import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadJob, LoadResult } from './generator.ts';

const GENERATOR = new URL('generator.ts', import.meta.url).pathname;
const DEADLINE_MS = 15 * 60_000;

/** `bodies` or `count` or both (then it goes round the bodies). */
export interface Load
  extends Omit<LoadJob, 'bodies' | 'count' | 'maxSeconds' | 'warmUpSeconds' | 'startAt' | 'tracedEvery'> {
  readonly bodies?: readonly string[];
  readonly count?: number;
  readonly maxSeconds?: number;
  readonly warmUpSeconds?: number;
  readonly startAt?: number;
  readonly tracedEvery?: number;
}

/** Runs one load in a process of its own, so that its CPU is apart from the node's. Throws if an answer was no good. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-load-'));
  const file = load.bodies ? join(folder, 'bodies') : null;
  if (file && load.bodies) writeFileSync(file, load.bodies.join('\n'));
  const child = fork(GENERATOR, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  try {
    const result = await new Promise<LoadResult>((resolve, reject) => {
      child.once('message', (message) => resolve(message as LoadResult));
      child.once('exit', (code) => reject(new Error(`the load generator ended with ${code}`)));
      child.send({
        ...load,
        bodies: file,
        count: load.count ?? 0,
        maxSeconds: load.maxSeconds ?? 0,
        warmUpSeconds: load.warmUpSeconds ?? 0,
        startAt: load.startAt ?? 0,
        tracedEvery: load.tracedEvery ?? 0,
      } satisfies LoadJob);
    });
    if (result.bad > 0) throw new Error(`${result.bad} requests were not answered well: ${result.firstBad}`);
    return result;
  } finally {
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The value below which the share `q` of sorted values lies. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;

export const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
