import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds: a durable commit takes 1–20 ms on a quiet machine; the tail is what one looks at. */
const LATENCY = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5];
const BATCH = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export interface ShardGauges {
  readonly activeEnclaves: () => number;
  readonly kernelBytes: () => number;
  readonly pendingBytes: () => number;
  readonly cryptoPending: () => number;
  readonly backend: string;
  readonly version: string;
  readonly wasm: string;
}

export type ShardMetrics = ReturnType<typeof createShardMetrics>;

/** The metrics of one shard. Labels never carry an enclave or an identity. */
export function createShardMetrics(register: Registry, gauges: ShardGauges) {
  const registers = [register];
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 10 });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, registers });
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
  gauge('enc_active_enclaves', 'enclaves in memory', gauges.activeEnclaves);
  gauge('enc_kernel_memory_bytes', 'memory of the kernels of active enclaves', gauges.kernelBytes);
  gauge('enc_pending_bytes', 'inspected commits under way', gauges.pendingBytes);
  gauge('enc_crypto_pending_jobs', 'signatures waiting for or in the crypto pool', gauges.cryptoPending);
  new Gauge({
    name: 'enc_build_info',
    help: 'always 1; what runs here',
    labelNames: ['version', 'wasm', 'secp256k1'],
    registers,
  }).set({ version: gauges.version, wasm: gauges.wasm, secp256k1: gauges.backend }, 1);
  return {
    batchSize: histogram('enc_batch_size_events', 'events of an appended batch', BATCH),
    appendSeconds: histogram('enc_append_seconds', 'stage of a batch until it is durable in the log', LATENCY),
    guardSeconds: histogram('enc_guard_seconds', 'append of a batch until its watermark is durable', LATENCY),
    commitSeconds: histogram('enc_commit_seconds', 'arrival of an accepted commit until its receipt leaves', LATENCY),
    hydrateSeconds: histogram('enc_hydrate_seconds', 'opening of a sleeping enclave', LATENCY),
    events: counter('enc_events_total', 'events released'),
    bundles: counter('enc_bundles_closed_total', 'bundles closed'),
    duplicates: counter('enc_duplicate_commits_total', 'retries answered with the original receipt'),
    evictions: counter('enc_evictions_total', 'enclaves put to sleep'),
    openFailures: counter('enc_open_failures_total', 'enclaves that could not be opened'),
    regressed: counter('enc_regressed_opens_total', 'attempts to open an enclave whose log lost released events'),
    takeOvers: counter('enc_take_overs_total', 'openings of enclaves that another shard had owned'),
    givenBack: counter('enc_given_back_total', 'enclaves let go because their first choice is there again'),
    checkpointFailures: counter('enc_checkpoint_failures_total', 'checkpoints that were not written'),
    clockSkew: counter(
      'enc_clock_skew_alarms_total',
      'enclaves opened whose head is ahead of this clock by more than the alarm',
    ),
    appendFailures: new Counter({
      name: 'enc_append_failures_total',
      help: 'appends that were not acknowledged',
      labelNames: ['result'],
      registers,
    }),
    guardFailures: new Counter({
      name: 'enc_guard_failures_total',
      help: 'watermarks that were not moved',
      labelNames: ['result'],
      registers,
    }),
    answers: new Counter({ name: 'enc_errors_total', help: 'error answers by code', labelNames: ['code'], registers }),
  };
}
