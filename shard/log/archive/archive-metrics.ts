import { LATENCY, type Meters } from '../../../cluster/metrics/meters.ts';
import type { Backlog } from './backlog.ts';

export type ArchiveMetrics = ReturnType<typeof createArchiveMetrics>;

/** The metrics of the archive. Labels never carry an enclave. */
export function createArchiveMetrics(meters: Meters, backlog: Backlog) {
  meters.gauge('enc_archive_lag_bundles', 'bundles closed and released, but not archived yet', () => backlog.bundles);
  meters.gauge(
    'enc_archive_lag_seconds',
    'since the enclave that waits longest has fallen behind',
    () => backlog.seconds,
  );
  return {
    bundles: meters.counter('enc_archive_bundles_total', 'bundles archived'),
    bytes: meters.counter('enc_archive_bytes_total', 'bytes of archived bundles'),
    failures: meters.counters(
      'enc_archive_failures_total',
      'attempts that failed: store (it is away), conflict (it holds something else), log',
      { reason: ['store', 'conflict', 'log'] },
    ),
    requestSeconds: meters.histograms('enc_archive_request_seconds', 'calls of the object store', ['call'], LATENCY),
  };
}
