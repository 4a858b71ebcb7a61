import type { Report } from './report.ts';
import { list, number } from './screen.ts';

/** The report in lines for a terminal; the last one is that of ARCHITECTURE §9. */
export function summary(report: Report): string[] {
  const { verdict, totals, latency, longest_gap, marks } = report;
  const ms = (value: number): string => `${number(Math.round(value * 10) / 10)} ms`;
  const { read_back: back } = totals;
  const lines = [
    `${number(totals.offered)} offered in ${number(Math.round(report.load_seconds))} s, ${report.rate.toFixed(1)} acknowledged per second; shed ${totals.shed}, expired ${totals.expired}`,
    `latency from the intended send time: p50 ${ms(latency.p50_ms)}, p90 ${ms(latency.p90_ms)}, p99 ${ms(latency.p99_ms)}, p99.9 ${ms(latency.p999_ms)}, slowest ${ms(latency.max_ms)}`,
    `longest time without success ${ms(longest_gap.ms)}; ${report.cpu_us_per_commit} µs of CPU here per commit (${report.crypto})`,
    `errors that were repeated: ${list(totals.errors) || 'none'}`,
    `reads that were proved: ${list(totals.reads) || 'none'}${Object.keys(totals.read_errors).length > 0 ? `; errors: ${list(totals.read_errors)}` : ''}`,
    `read back: ${number(back.events)} events in ${number(back.bundles)} bundles of ${number(back.enclaves)} enclaves, ${number(back.states)} states, ${number(back.heads)} earlier tree heads`,
  ];
  if (report.full)
    lines.push(
      `the load ended early: ${number(report.settings.maxEvents)} events are as many as it may remember (--max-events)`,
    );
  for (const mark of marks)
    lines.push(
      `${new Date(mark.at).toISOString().slice(11, 23)} ${mark.label}: ${ms(mark.gap_ms)} without success, slowest commit ${ms(mark.slowest_ms)}, ${mark.errors} errors`,
    );
  for (const { kind, enclave, what } of report.findings.slice(0, 20)) lines.push(`${kind}: ${enclave} ${what}`);
  if (report.findings.length > 20) lines.push(`… ${report.findings.length - 20} more findings`);
  for (const reason of verdict.reasons) lines.push(`failed: ${reason}`);
  lines.push(`${verdict.acknowledged} acknowledged, ${verdict.failed_proofs} failed proofs, ${verdict.lost} lost`);
  return lines;
}
