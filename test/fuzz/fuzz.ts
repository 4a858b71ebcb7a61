import { Crash, type FuzzTarget } from './target.ts';
import { MemoryWatch } from './watch.ts';

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
  /** only this run (and what it depends on) */
  readonly replay?: number;
  /** stop after so many crashes */
  readonly maxCrashes?: number;
  /** how often memory is looked at, after a full collection; default 50 */
  readonly samples?: number;
  readonly progress?: (runs: number) => void;
}

export interface FuzzResult {
  readonly runs: number;
  readonly seconds: number;
  readonly crashes: readonly { readonly run: number; readonly message: string; readonly input: string }[];
  readonly answers: Readonly<Record<string, number>>;
  /** how memory grew, null if it did not */
  readonly growth: string | null;
  readonly memory: string;
}

const SAMPLES = 50;

/** Puts `runs` inputs through a target; the same seed makes the same inputs. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const { runs, seed, replay, maxCrashes = 10, samples = SAMPLES } = options;
  const first = replay === undefined ? 0 : replay - (replay % target.stride);
  const end = replay === undefined ? runs : replay + 1;
  const every = Math.max(1, Math.ceil((end - first) / samples));
  const runner = await target.open(seed);
  const watch = new MemoryWatch();
  const crashes: { run: number; message: string; input: string }[] = [];
  const begun = performance.now();
  let run = first;
  try {
    for (; run < end && crashes.length < maxCrashes; run++) {
      try {
        const pending = runner.run(run);
        if (pending) await pending;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        crashes.push({ run, message: error.message, input: Buffer.from(error.input).toString('base64') });
      }
      if (run % every !== 0) continue;
      watch.sample(runner.memory());
      options.progress?.(run - first);
      await new Promise(setImmediate);
    }
  } finally {
    await runner.close();
  }
  const seconds = (performance.now() - begun) / 1000;
  return {
    runs: run - first,
    seconds,
    crashes,
    answers: Object.fromEntries(runner.answers),
    growth: watch.growth(),
    memory: watch.describe(),
  };
}
