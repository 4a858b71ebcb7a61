import { GOOD, metricsOf, type Plan, p99Of, READ_MS } from './plan.ts';
import type { Load } from './profile.ts';
import { kept, latencies, type SummaryData, type SummaryRow, value } from './summary.ts';

/** A load in rows of a report: one for each kind of call. */
export function rowsOf(load: Load, plan: Plan, data: SummaryData): SummaryRow[] {
  const rows = plan.measured.map((scenario) => commitRow(load, scenario, data));
  return load.reads > 0 ? [...rows, readRow(load, data)] : rows;
}

function commitRow(load: Load, scenario: string, data: SummaryData): SummaryRow {
  const { rate, batches, batch, duration } = load;
  const { ms, count, dropped, first, last } = metricsOf(scenario);
  const each = scenario === 'batch' ? `${batch} per POST, ${batches} POSTs/s` : `one per POST, ${rate} POSTs/s`;
  const part = (metric: string): number => latencies(data, metric)['p99_ms'] ?? Number.NaN;
  return {
    name: `k6-${load.name}-${scenario}`,
    what: `${load.what}: ${each} for ${duration} s, open loop`,
    rate: value(data, count, 'count') / duration,
    ...latencies(data, ms),
    ...(load.long ? { first_p99_ms: part(first), last_p99_ms: part(last) } : {}),
    acknowledged: value(data, 'enc_acknowledged', 'rate'),
    retries: value(data, 'enc_retries', 'count'),
    must: `${p99Of(load)} ms, ${GOOD} acknowledged`,
    met: kept(data, ['enc_acknowledged', ms, count, dropped, first, last]),
  };
}

function readRow(load: Load, data: SummaryData): SummaryRow {
  const { dropped } = metricsOf('reads');
  return {
    name: `k6-${load.name}-reads`,
    what: `queries of 20 events and tree heads in turn, ${load.reads}/s, beside it`,
    rate: value(data, 'enc_read_well', 'passes') / load.duration,
    ...latencies(data, READ_MS),
    must: `${p99Of(load)} ms, ${GOOD} answered`,
    met: value(data, 'enc_read_well', 'passes') > 0 && kept(data, ['enc_read_well', READ_MS, dropped]),
  };
}
