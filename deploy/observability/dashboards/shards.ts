import { CHOSEN, graph, OVER, type Page, quantiles } from './panel.ts';
import { processRow } from './process-row.ts';

const rate = (metric: string): string => `sum by (instance) (rate(${metric}{${CHOSEN}}${OVER}))`;
const total = (metric: string): string => `sum(rate(${metric}{${CHOSEN}}${OVER}))`;

export const SHARDS: Page = {
  uid: 'enc-shards',
  title: 'enc-node / Shards',
  help: 'Shards of a cluster, or single nodes: the way of a commit through them, and what they have open.',
  roles: 'shard|node',
  rows: {
    'Rate, errors, latency': [
      graph({
        title: 'Events released',
        help: 'By process. Shares differ where a few enclaves are hot.',
        unit: 'ops',
        queries: { '{{instance}}': rate('enc_events_total') },
      }),
      graph({
        title: 'Error answers by code',
        help: 'What was refused or failed. Routers try again what was unavailable, so clients see less of it.',
        unit: 'ops',
        queries: { '{{code}}': `sum by (code) (rate(enc_errors_total{${CHOSEN}}${OVER})) > 0` },
      }),
      graph({
        title: 'Commit to receipt',
        help: 'Arrival of an accepted commit until its receipt leaves.',
        unit: 's',
        queries: quantiles('enc_commit_seconds_bucket', CHOSEN, ['instance']),
      }),
    ],
    'The way of a batch': [
      graph({
        title: 'Append',
        help: 'Stage of a batch until it is durable in the log: signing, waiting for earlier batches, writing.',
        unit: 's',
        queries: quantiles('enc_append_seconds_bucket', CHOSEN),
      }),
      graph({
        title: 'Guard',
        help: 'Append of a batch until its watermark is durable.',
        unit: 's',
        queries: quantiles('enc_guard_seconds_bucket', CHOSEN),
      }),
      graph({
        title: 'Events per batch',
        help: 'Grows with load: what comes in while a batch is under way is the next one. 512 at most.',
        unit: 'none',
        queries: {
          '{{instance}}': `${rate('enc_batch_size_events_sum')} / ${rate('enc_batch_size_events_count')}`,
        },
      }),
      graph({
        title: 'Commits under way',
        help: 'verifying: signatures; staging: wait for their enclave (4,096 each at most, then overloaded); batches: not released yet.',
        unit: 'none',
        queries: {
          '{{instance}} verifying': `enc_verifying_commits{${CHOSEN}}`,
          '{{instance}} staging': `enc_staging_commits{${CHOSEN}}`,
          '{{instance}} batches': `enc_batches_in_flight{${CHOSEN}}`,
        },
      }),
      graph({
        title: 'Signatures under way',
        help: 'Waiting for or in the crypto pool. Growing without end: more ENC_CRYPTO_WORKERS, or more shards.',
        unit: 'none',
        queries: { '{{instance}}': `enc_crypto_pending_jobs{${CHOSEN}}` },
      }),
      graph({
        title: 'Bytes under way',
        help: 'Share of ENC_MAX_PENDING_BYTES; beyond it commits are overloaded.',
        unit: 'percentunit',
        max: 1,
        queries: { '{{instance}}': `enc_pending_bytes{${CHOSEN}} / enc_pending_limit_bytes{${CHOSEN}}` },
      }),
      graph({
        title: 'Not acknowledged',
        help: 'Appends and watermarks that failed; their commits are answered unavailable or fenced, and may be sent again.',
        unit: 'ops',
        queries: {
          'append {{result}}': `sum by (result) (rate(enc_append_failures_total{${CHOSEN}}${OVER}))`,
          'guard {{result}}': `sum by (result) (rate(enc_guard_failures_total{${CHOSEN}}${OVER}))`,
        },
      }),
      graph({
        title: 'Alarms',
        help: 'Each stays at 0 on a healthy node.',
        unit: 'ops',
        queries: {
          'open failed': total('enc_open_failures_total'),
          regressed: total('enc_regressed_opens_total'),
          'checkpoint failed': total('enc_checkpoint_failures_total'),
          'clock skew': total('enc_clock_skew_alarms_total'),
          'crypto worker died': total('enc_crypto_worker_deaths_total'),
          'links refused': total('enc_shard_links_refused_total'),
        },
      }),
      graph({
        title: 'Bundles closed',
        help: 'By process; each is a tree head, and work for the archive.',
        unit: 'ops',
        queries: { '{{instance}}': rate('enc_bundles_closed_total') },
      }),
    ],
    Enclaves: [
      graph({
        title: 'In memory',
        help: 'Open enclaves, and how many may be (ENC_MAX_ACTIVE).',
        unit: 'none',
        queries: {
          '{{instance}}': `enc_active_enclaves{${CHOSEN}}`,
          limit: `max(enc_active_enclaves_limit{${CHOSEN}})`,
        },
      }),
      graph({
        title: 'Kernel memory',
        help: 'Of all open enclaves; beyond the limit the ones unused for longest are put to sleep.',
        unit: 'bytes',
        queries: {
          '{{instance}}': `enc_kernel_memory_bytes{${CHOSEN}}`,
          limit: `max(enc_kernel_memory_limit_bytes{${CHOSEN}})`,
        },
      }),
      graph({
        title: 'Opened and put to sleep',
        help: 'Much of both at once: more enclaves are in use than may be in memory.',
        unit: 'ops',
        queries: {
          opened: total('enc_hydrate_seconds_count'),
          'put to sleep': total('enc_evictions_total'),
          'being opened': `sum(enc_opening_enclaves{${CHOSEN}})`,
        },
      }),
      graph({
        title: 'Opening an enclave',
        help: 'From its checkpoint and what came after; long ones have few checkpoints.',
        unit: 's',
        queries: quantiles('enc_hydrate_seconds_bucket', CHOSEN),
      }),
      graph({
        title: 'Taken over and given back',
        help: 'Enclaves that came from another shard, and that went back. Both for long: shards disagree on who is alive.',
        unit: 'ops',
        queries: { 'taken over': total('enc_take_overs_total'), 'given back': total('enc_given_back_total') },
      }),
      graph({
        title: 'Enclaves of other shards',
        help: 'Open here, and on their way to their first choice at their next idle moment.',
        unit: 'none',
        queries: { '{{instance}}': `enc_guest_enclaves{${CHOSEN}}` },
      }),
    ],
    'In the cluster': [
      graph({
        title: 'Age of the heartbeat',
        help: 'Renewed every 0.5 s; at 2 s routers ask others.',
        unit: 's',
        queries: { '{{instance}}': `enc_shard_heartbeat_age_seconds{${CHOSEN}}` },
      }),
      graph({
        title: 'Linked routers',
        help: 'All routers, on every shard.',
        unit: 'none',
        queries: { '{{instance}}': `enc_shard_routers{${CHOSEN}}` },
      }),
      graph({
        title: 'Requests of routers under way',
        help: 'Of all links together.',
        unit: 'none',
        queries: { '{{instance}}': `enc_shard_link_requests{${CHOSEN}}` },
      }),
    ],
    Process: processRow('Beside two threads for signatures a shard'),
  },
};
