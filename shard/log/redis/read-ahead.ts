import type { LogKey } from '../enclave-log.ts';
import type { LogReader } from './log-reader.ts';

/** Events whose batches are fetched at once: few for a caller that soon has enough, then more. */
const FIRST = 8;
const MOST = 128;

/** The same seqs, each given out when its event is in memory (as far as the cache holds it). */
export function* readAhead(
  reader: LogReader,
  key: LogKey,
  steps: Iterable<number | Promise<unknown>>,
): Generator<number | Promise<unknown>> {
  let run: number[] = [];
  let size = FIRST;
  for (const step of steps) {
    if (typeof step !== 'number' || step < 0) {
      yield step;
      continue;
    }
    run.push(step);
    if (run.length < size) continue;
    yield* fetched(reader, key, run);
    run = [];
    size = Math.min(MOST, size * 2);
  }
  yield* fetched(reader, key, run);
}

function* fetched(reader: LogReader, key: LogKey, run: readonly number[]): Generator<number | Promise<unknown>> {
  const missing = run.filter((seq) => reader.cache.record(key, seq) === undefined).sort((a, b) => a - b);
  if (missing.length > 0) yield reader.pick(key, missing);
  yield* run;
}
