import { JSON_FILE } from './env.ts';

/** The part that is used here of what k6 hands to `handleSummary`. */
export interface SummaryData {
  readonly metrics: Readonly<Record<string, SummaryMetric | undefined>>;
}

interface SummaryMetric {
  readonly values: Readonly<Record<string, number>>;
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
}

/** A row of a bench's report (bench/result.ts): `npm run bench -- report FILE` reads them. */
export interface SummaryRow {
  readonly name: string;
  readonly what: string;
  readonly must: string;
  readonly met: boolean;
  readonly [figure: string]: string | number | boolean;
}

/** Quantiles that `latencies` reads: k6 computes those that a script's options name. */
export const TREND_STATS: string[] = ['med', 'p(90)', 'p(99)', 'p(99.9)', 'max'];

/** Latencies of a Trend, ms, under the names of a report; nothing if it has no values. */
export function latencies(data: SummaryData, metric: string): Record<string, number> {
  const values = data.metrics[metric]?.values;
  if (!values) return {};
  const of = (stat: string): number => values[stat] ?? Number.NaN;
  return { p50_ms: of('med'), p90_ms: of('p(90)'), p99_ms: of('p(99)'), p999_ms: of('p(99.9)'), max_ms: of('max') };
}

export function value(data: SummaryData, metric: string, name: string): number {
  return data.metrics[metric]?.values[name] ?? 0;
}

/** Have these metrics kept all their thresholds? */
export function kept(data: SummaryData, metrics: readonly string[]): boolean {
  return metrics.every((name) => Object.values(data.metrics[name]?.thresholds ?? {}).every(({ ok }) => ok));
}

/** Without `-e JSON` nothing: then k6 prints its own summary. With it, the rows go into that file and, short, to the terminal. */
export function summaryOf(rows: readonly SummaryRow[]): Record<string, string> | undefined {
  if (JSON_FILE === '') return undefined;
  const lines = rows.map(({ name, must, met, rate, p50_ms, p99_ms }) => {
    const figures = [per(rate, '/s'), per(p50_ms, ' ms p50'), per(p99_ms, ' ms p99')].filter(Boolean).join(', ');
    return `${met ? 'met   ' : 'MISSED'} ${name}${figures && `: ${figures}`} (${must})`;
  });
  return { [JSON_FILE]: `${JSON.stringify(rows, null, 2)}\n`, stdout: `\n${lines.join('\n')}\n` };
}

function per(figure: unknown, unit: string): string {
  return typeof figure === 'number' ? `${figure >= 100 ? Math.round(figure) : figure.toPrecision(3)}${unit}` : '';
}
