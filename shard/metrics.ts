import { LATENCY, type Meters } from '../cluster/metrics/meters.ts';
import { SecondsTally } from '../cluster/metrics/seconds-tally.ts';
import { AnswerTally, ErrorTally } from './api/answer-tally.ts';

const BATCH = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export interface ShardGauges {
  readonly activeEnclaves: () => number;
  readonly openingEnclaves: () => number;
  readonly kernelBytes: () => number;
  readonly pendingBytes: () => number;
  /** commits whose signature is being checked, and those that wait to be staged */
  readonly verifying: () => number;
  readonly staging: () => number;
  readonly inFlight: () => number;
  readonly cryptoPending: () => number;
  readonly limits: { readonly active: number; readonly kernelBytes: number; readonly pendingBytes: number };
  readonly silentStores: () => number;
  readonly backend: string;
  readonly version: string;
  readonly wasm: string;
  /** in a cluster routers are asked, and the shard answers to them alone */
  readonly role: 'node' | 'shard';
}

export type ShardMetrics = ReturnType<typeof createShardMetrics>;

/** The metrics of one shard. Labels never carry an enclave or an identity. */
export function createShardMetrics(meters: Meters, gauges: ShardGauges) {
  meters.process();
  const { limits, role, version, wasm, backend } = gauges;
  meters.build({ role, version, wasm, secp256k1: backend });
  meters.gauge('enc_active_enclaves', 'enclaves in memory', gauges.activeEnclaves);
  meters.gauge('enc_active_enclaves_limit', 'enclaves that may be in memory', () => limits.active);
  meters.gauge('enc_opening_enclaves', 'enclaves that are being opened', gauges.openingEnclaves);
  meters.gauge('enc_kernel_memory_bytes', 'memory of the kernels of active enclaves', gauges.kernelBytes);
  meters.gauge('enc_kernel_memory_limit_bytes', 'memory that they may take', () => limits.kernelBytes);
  meters.gauge('enc_pending_bytes', 'inspected commits under way', gauges.pendingBytes);
  meters.gauge(
    'enc_pending_limit_bytes',
    'bytes under way beyond which calls are overloaded',
    () => limits.pendingBytes,
  );
  meters.gauge('enc_verifying_commits', 'commits whose signature is being checked', gauges.verifying);
  meters.gauge('enc_staging_commits', 'commits that wait to be staged', gauges.staging);
  meters.gauge('enc_batches_in_flight', 'batches staged and not yet released', gauges.inFlight);
  meters.gauge('enc_crypto_pending_jobs', 'signatures waiting for or in the crypto pool', gauges.cryptoPending);
  meters.gauge('enc_silent_stores', 'stores of the cluster that have not answered for 2 s', gauges.silentStores);
  const door = role === 'node' ? new AnswerTally(meters) : null;
  return {
    /** null: the public API is the routers' */
    door,
    answers: door ?? new ErrorTally(meters),
    batchSize: meters.histogram('enc_batch_size_events', 'events of an appended batch', BATCH),
    appendSeconds: meters.histogram('enc_append_seconds', 'stage of a batch until it is durable in the log', LATENCY),
    guardSeconds: meters.histogram('enc_guard_seconds', 'append of a batch until its watermark is durable', LATENCY),
    commitSeconds: new SecondsTally(
      meters,
      'enc_commit_seconds',
      'arrival of an accepted commit until its receipt leaves',
      LATENCY,
    ),
    hydrateSeconds: meters.histogram('enc_hydrate_seconds', 'opening of a sleeping enclave', LATENCY),
    events: meters.counter('enc_events_total', 'events released'),
    bundles: meters.counter('enc_bundles_closed_total', 'bundles closed'),
    duplicates: meters.counter('enc_duplicate_commits_total', 'retries answered with the original receipt'),
    evictions: meters.counter('enc_evictions_total', 'enclaves put to sleep'),
    openFailures: meters.counter('enc_open_failures_total', 'enclaves that could not be opened'),
    regressed: meters.counter(
      'enc_regressed_opens_total',
      'attempts to open an enclave whose log lost released events',
    ),
    takeOvers: meters.counter('enc_take_overs_total', 'openings of enclaves that another shard had owned'),
    givenBack: meters.counter('enc_given_back_total', 'enclaves let go because their first choice is there again'),
    checkpointFailures: meters.counter('enc_checkpoint_failures_total', 'checkpoints that were not written'),
    clockSkew: meters.counter(
      'enc_clock_skew_alarms_total',
      'enclaves opened whose head is ahead of this clock by more than the alarm',
    ),
    workerDeaths: meters.counter('enc_crypto_worker_deaths_total', 'threads of the crypto pool that died'),
    appendFailures: meters.counters('enc_append_failures_total', 'appends that were not acknowledged', {
      result: ['fenced', 'unknown'],
    }),
    guardFailures: meters.counters('enc_guard_failures_total', 'watermarks that were not moved', {
      result: ['refused', 'unknown'],
    }),
  };
}
