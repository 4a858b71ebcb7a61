import type { RecordableHistogram } from 'node:perf_hooks';
import { histogram, type SecondPart } from './tally.ts';
import { Timeline } from './timeline.ts';

export interface Latency {
  readonly p50_ms: number;
  readonly p90_ms: number;
  readonly p99_ms: number;
  readonly p999_ms: number;
  readonly max_ms: number;
}

/** One second of the whole hammer. */
export interface Second extends Latency {
  /** number of the second since the load began */
  readonly second: number;
  readonly offered: number;
  readonly shed: number;
  readonly acknowledged: number;
  readonly expired: number;
  readonly errors: Readonly<Record<string, number>>;
  /** answered and proved, by kind */
  readonly reads: Readonly<Record<string, number>>;
  readonly read_errors: Readonly<Record<string, number>>;
  /** commits whose outcome was open at its end */
  readonly open: number;
}

interface Growing {
  offered: number;
  shed: number;
  acknowledged: number;
  expired: number;
  errors: Record<string, number>;
  reads: Record<string, number>;
  readErrors: Record<string, number>;
  latency: RecordableHistogram;
}

/** Puts the seconds of all threads together. Of a second that is over, only its figures are kept: some 500 bytes. */
export class Series {
  readonly seconds: Second[] = [];
  readonly timeline = new Timeline();
  readonly latency = histogram();
  readonly #growing = new Map<number, Growing>();
  /** by thread: the next second that it may report */
  readonly #next: number[];
  readonly #open: number[];

  constructor(threads: number) {
    this.#next = Array.from({ length: threads }, () => 0);
    this.#open = Array.from({ length: threads }, () => 0);
  }

  /** Commits whose outcome is open. */
  get open(): number {
    return this.#open.reduce((sum, open) => sum + open, 0);
  }

  take(thread: number, part: SecondPart): void {
    let at = this.#growing.get(part.second);
    if (!at) {
      at = {
        offered: 0,
        shed: 0,
        acknowledged: 0,
        expired: 0,
        errors: {},
        reads: {},
        readErrors: {},
        latency: histogram(),
      };
      this.#growing.set(part.second, at);
    }
    for (const key of ['offered', 'shed', 'acknowledged', 'expired'] as const) at[key] += part[key];
    addAll(at.errors, part.errors);
    addAll(at.reads, part.reads);
    addAll(at.readErrors, part.readErrors);
    if (part.latency.count > 0) {
      at.latency.add(part.latency);
      this.latency.add(part.latency);
    }
    this.timeline.mark(part.second, part.slots);
    this.#next[thread] = part.second + 1;
    this.#open[thread] = part.open;
    this.#close();
  }

  /** No thread says anything more. */
  end(): void {
    this.#next.fill(Number.POSITIVE_INFINITY);
    this.#close();
  }

  #close(): void {
    const complete = Math.min(...this.#next);
    for (const [second, at] of [...this.#growing].sort(([a], [b]) => a - b)) {
      if (second >= complete) return;
      this.#growing.delete(second);
      const { latency, readErrors, ...rest } = at;
      this.seconds.push({ second, ...rest, read_errors: readErrors, open: this.open, ...latencyOf(latency) });
    }
  }
}

/** Quantiles in ms; zeros if nothing was recorded. */
export function latencyOf(recorded: RecordableHistogram): Latency {
  const at = (percent: number): number =>
    recorded.count === 0 ? 0 : Math.min(recorded.percentile(percent), recorded.max) / 1000;
  return {
    p50_ms: at(50),
    p90_ms: at(90),
    p99_ms: at(99),
    p999_ms: at(99.9),
    max_ms: recorded.count === 0 ? 0 : recorded.max / 1000,
  };
}

export function addAll(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(from)) to[name] = (to[name] ?? 0) + count;
}
