import { quantile } from './load/run-load.ts';

/** One row of a report (ARCHITECTURE §9). Fields that a bench does not have are left out. */
export interface BenchResult {
  readonly name: string;
  /** what was done, in words */
  readonly what: string;
  /** per second */
  readonly rate?: number;
  /** CPU of the node per item, µs */
  readonly cost_us?: number;
  /** c before and after the run, mean, µs */
  readonly c_us?: number;
  /** (cost − c) / c */
  readonly beyond_c?: number;
  readonly crypto_share?: number;
  readonly p50_ms?: number;
  readonly p99_ms?: number;
  /** the must of ARCHITECTURE §6 in words, and whether it was met */
  readonly must?: string;
  readonly met?: boolean;
  readonly [extra: string]: string | number | boolean | undefined;
}

const round = (value: number): number => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

export function rounded<T extends object>(result: T): T {
  return Object.fromEntries(Object.entries(result).map(([k, v]) => [k, typeof v === 'number' ? round(v) : v])) as T;
}

export interface Cost {
  readonly cost_us: number;
  readonly c_us: number;
  /** cost − c, µs */
  readonly beyond_us: number;
  readonly beyond_c: number;
  readonly crypto_share: number;
}

/** Cost figures from CPU seconds and accepted items. */
export function costOf(cpuSeconds: number, items: number, c: number): Cost {
  const cost = (cpuSeconds / items) * 1e6;
  return { cost_us: cost, c_us: c, beyond_us: cost - c, beyond_c: (cost - c) / c, crypto_share: c / cost };
}

export type Latencies = Record<'p50_ms' | 'p90_ms' | 'p99_ms' | 'p999_ms', number>;

/** Quantiles of sorted latencies, ms. */
export function latencies(sorted: readonly number[]): Latencies {
  const at = (q: number): number => quantile(sorted, q);
  return { p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), p999_ms: at(0.999) };
}

/** Names of the rows whose must was not met. */
export const missed = (results: readonly BenchResult[]): string[] =>
  results.filter((result) => result.met === false).map((result) => result.name);

export function table(results: readonly BenchResult[]): string {
  const columns = [
    'name',
    'rate',
    'cost_us',
    'c_us',
    'beyond_c',
    'crypto_share',
    'p50_ms',
    'p99_ms',
    'must',
    'met',
  ] as const;
  const rows = [columns as readonly string[], ...results.map((r) => columns.map((c) => String(r[c] ?? '')))];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => (row[i] as string).length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
