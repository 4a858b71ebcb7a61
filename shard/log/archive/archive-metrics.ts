import { Counter, Gauge, type Registry } from 'prom-client';
import type { Backlog } from './backlog.ts';

export type ArchiveMetrics = ReturnType<typeof createArchiveMetrics>;

/** The metrics of the archive. Labels never carry an enclave. */
export function createArchiveMetrics(register: Registry, backlog: Backlog) {
  const registers = [register];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('enc_archive_lag_bundles', 'bundles closed and released, but not archived yet', () => backlog.bundles);
  gauge('enc_archive_lag_seconds', 'since the enclave that waits longest has fallen behind', () => backlog.seconds);
  return {
    bundles: counter('enc_archive_bundles_total', 'bundles archived'),
    bytes: counter('enc_archive_bytes_total', 'bytes of archived bundles'),
    failures: new Counter({
      name: 'enc_archive_failures_total',
      help: 'attempts that failed: store (it is away), conflict (it holds something else), log',
      labelNames: ['reason'],
      registers,
    }),
  };
}
