import { type Alert, ours, WHERE } from './alert.ts';

/** Before there is too little of something. */
export const CAPACITY_ALERTS = [
  {
    alert: 'EncOverloaded',
    expr: 'sum by (namespace) (rate(enc_errors_total{code="overloaded"}[5m])) > 0',
    for: '5m',
    severity: 'warning',
    summary: `Calls are refused because queues are full${WHERE}`,
    description: '{{ $value | humanize }} calls a second are answered `overloaded`.',
  },
  {
    alert: 'EncEventLoopLate',
    expr: ours('nodejs_eventloop_lag_p99_seconds > 0.25'),
    for: '5m',
    severity: 'warning',
    summary: 'A process is late with everything: {{ $labels.job }} {{ $labels.instance }}',
    description: 'Its event loop is {{ $value | humanizeDuration }} behind at times; at 2 s others take its place.',
  },
  {
    alert: 'EncFilesRunOut',
    expr: ours('process_open_fds / process_max_fds > 0.8'),
    for: '5m',
    severity: 'warning',
    summary: 'A process runs out of file descriptors: {{ $labels.job }} {{ $labels.instance }}',
    description: '{{ $value | humanizePercentage }} are in use. Beyond 100 % connections are refused.',
  },
] as const satisfies readonly Alert[];
