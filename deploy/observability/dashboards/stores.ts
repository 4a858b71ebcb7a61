import { CHOSEN, graph, OVER, type Page, quantiles } from './panel.ts';

const STORE = ['store', 'server'];

export const STORES: Page = {
  uid: 'enc-stores',
  title: 'enc-node / Redis, disks and archive',
  help: 'Where events, keys and watermarks are kept, as the shards see it: every shard measures its own way there.',
  roles: 'shard|node',
  rows: {
    'Log, guard and keys': [
      graph({
        title: 'A group of writes',
        help: 'Until it is durable: synced by the disk, or counted by Redis on its replicas. Commits wait for one of the log and one of the guard.',
        unit: 's',
        span: 12,
        queries: quantiles('enc_store_write_seconds_bucket', CHOSEN, STORE),
      }),
      graph({
        title: 'Groups written',
        help: 'Of all shards together. Groups grow under load, so this does not.',
        unit: 'ops',
        span: 12,
        queries: {
          '{{store}} {{server}}': `sum by (store, server) (rate(enc_store_write_seconds_count{${CHOSEN}}${OVER}))`,
        },
      }),
    ],
    Redis: [
      graph({
        title: 'Shards with no connection',
        help: 'By store. All shards: the server; one: its network.',
        unit: 'none',
        queries: {
          '{{store}} {{server}}': `sum by (store, server) (1 - enc_redis_connected{${CHOSEN}})`,
        },
      }),
      graph({
        title: 'Replicas that a write is counted on',
        help: 'The least of all shards. Fewer than there are replicas: one is away, or behind.',
        unit: 'none',
        queries: { '{{store}} {{server}}': `min by (store, server) (enc_redis_replicas{${CHOSEN}})` },
      }),
      graph({
        title: 'Failures of Redis',
        help: 'short: too few replicas in time; late: no answer in time; lost: the connection ended; unreachable: none could be made; refused: an error of the server; offline, full: refused here at once.',
        unit: 'ops',
        queries: {
          '{{store}} {{reason}}': `sum by (store, reason) (rate(enc_redis_failures_total{${CHOSEN}}${OVER})) > 0`,
        },
      }),
      graph({
        title: 'Memory',
        help: 'Share of maxmemory. Where there is no limit, the machine is one: see the bytes.',
        unit: 'percentunit',
        max: 1,
        queries: {
          '{{store}} {{server}}': `max by (store, server) (enc_redis_memory_bytes{${CHOSEN}}) / max by (store, server) (enc_redis_memory_limit_bytes{${CHOSEN}} > 0)`,
        },
      }),
      graph({
        title: 'Memory in bytes',
        help: 'With an archive it stays about level; without one it grows with the log.',
        unit: 'bytes',
        queries: { '{{store}} {{server}}': `max by (store, server) (enc_redis_memory_bytes{${CHOSEN}})` },
      }),
      graph({
        title: 'Writes that wait, and silence',
        help: 'Writes not sent yet; seconds since the last counted answer (a write is made every 0.5 s if there is none).',
        unit: 'none',
        queries: {
          '{{store}} waiting': `sum by (store) (enc_redis_queued_writes{${CHOSEN}})`,
          '{{store}} silent': `max by (store) (enc_redis_unheard_seconds{${CHOSEN}})`,
        },
      }),
    ],
    Disks: [
      graph({
        title: 'Room left',
        help: 'Share of the file system that a folder is on. At 0 nothing is acknowledged any more.',
        unit: 'percentunit',
        span: 12,
        max: 1,
        queries: { '{{instance}} {{folder}}': `enc_disk_free_bytes{${CHOSEN}} / enc_disk_size_bytes{${CHOSEN}}` },
      }),
      graph({
        title: 'Taken by folder',
        help: 'Disk that the files of a folder take.',
        unit: 'bytes',
        span: 12,
        queries: { '{{instance}} {{folder}}': `enc_folder_bytes{${CHOSEN}}` },
      }),
    ],
    Archive: [
      graph({
        title: 'Bundles behind',
        help: 'Closed and released, and not archived yet.',
        unit: 'none',
        queries: { '{{instance}}': `enc_archive_lag_bundles{${CHOSEN}}` },
      }),
      graph({
        title: 'Behind since',
        help: 'Of the enclave that waits longest.',
        unit: 's',
        queries: { '{{instance}}': `enc_archive_lag_seconds{${CHOSEN}}` },
      }),
      graph({
        title: 'Failures of the archive',
        help: 'store: it is away; conflict: it holds something else than the log, look at once; log: the log could not be read.',
        unit: 'ops',
        queries: { '{{reason}}': `sum by (reason) (rate(enc_archive_failures_total{${CHOSEN}}${OVER}))` },
      }),
      graph({
        title: 'Archived bundles',
        help: 'Of all shards.',
        unit: 'ops',
        queries: { bundles: `sum(rate(enc_archive_bundles_total{${CHOSEN}}${OVER}))` },
      }),
      graph({
        title: 'Archived bytes',
        help: 'Of all shards.',
        unit: 'Bps',
        queries: { bytes: `sum(rate(enc_archive_bytes_total{${CHOSEN}}${OVER}))` },
      }),
      graph({
        title: 'Calls of the object store, p99',
        help: 'Failed ones included.',
        unit: 's',
        queries: {
          '{{call}}': `histogram_quantile(0.99, sum by (call, le) (rate(enc_archive_request_seconds_bucket{${CHOSEN}}${OVER})))`,
        },
      }),
    ],
  },
};
