import { type Alert, grown } from './alert.ts';

const STORE = '{{ $labels.store }} {{ $labels.server }}';
const by = (labels: string, expr: string): string => `by (namespace, ${labels}) (${expr})`;

/** Redis, disks and the archive. */
export const STORE_ALERTS = [
  {
    alert: 'EncRedisDown',
    expr: 'enc_redis_connected == 0',
    for: '30s',
    severity: 'critical',
    summary: `No connection to the Redis of ${STORE}: {{ $labels.instance }}`,
    description: 'What needs it is answered `unavailable`; nothing is acknowledged.',
  },
  {
    alert: 'EncRedisShort',
    expr: 'sum by (namespace, store, server) (increase(enc_redis_failures_total{reason="short"}[5m])) > 0',
    severity: 'warning',
    summary: `Too few replicas of Redis for ${STORE} had a write in time`,
    description: 'A replica is away or slow. Writes are unavailable until Sentinel holds it for down, or it is back.',
  },
  {
    alert: 'EncRedisFewerReplicas',
    expr: `min ${by('store, server', 'enc_redis_replicas')} < max ${by('store, server', 'max_over_time(enc_redis_replicas[6h])')}`,
    for: '15m',
    severity: 'warning',
    summary: `Writes to Redis for ${STORE} are counted on fewer replicas than before`,
    description: 'On {{ $value }} now. One more failure may lose more than it could this morning.',
  },
  {
    alert: 'EncRedisMemory',
    expr: `max ${by('store, server', 'enc_redis_memory_bytes')} / max ${by('store, server', 'enc_redis_memory_limit_bytes > 0')} > 0.85`,
    for: '5m',
    severity: 'warning',
    summary: `The Redis of ${STORE} runs out of memory`,
    description: '{{ $value | humanizePercentage }} of maxmemory are in use. At 100 % writes are refused.',
  },
  {
    alert: 'EncStoreSlow',
    expr: `histogram_quantile(0.99, sum ${by('store, server, le', 'rate(enc_store_write_seconds_bucket[5m])')}) > 0.1`,
    for: '10m',
    severity: 'warning',
    summary: `Writes of ${STORE} are slow`,
    description:
      'One in a hundred takes more than {{ $value | humanizeDuration }}. Every commit waits for log and guard.',
  },
  {
    alert: 'EncDiskFills',
    expr: 'enc_disk_free_bytes / enc_disk_size_bytes < 0.1',
    for: '5m',
    severity: 'critical',
    summary: 'A disk fills up: {{ $labels.folder }} of {{ $labels.instance }}',
    description: '{{ $value | humanizePercentage }} are left. When nothing is, nothing is acknowledged any more.',
  },
  {
    alert: 'EncArchiveConflict',
    expr: 'sum by (namespace) (increase(enc_archive_failures_total{reason="conflict"}[1h])) > 0',
    severity: 'critical',
    summary: 'The archive holds another bundle than the log',
    description: 'Nothing more of that enclave is archived. The shard’s log names the object.',
  },
  {
    alert: 'EncArchiveAway',
    expr: `${grown('enc_archive_failures_total{reason="store"}', '10m')} > 0`,
    for: '10m',
    severity: 'warning',
    summary: 'The archive can not be reached: {{ $labels.instance }}',
    description:
      'Bundles are kept in the log and archived later; contents that were deleted stay in the archive until then.',
  },
  {
    alert: 'EncArchiveFails',
    expr: `${grown('enc_archive_failures_total{reason="log"}', '15m')} > 0`,
    severity: 'warning',
    summary: 'Enclaves can not be archived: {{ $labels.instance }}',
    description: 'Their log could not be read. The shard’s log says which and why.',
  },
  {
    alert: 'EncArchiveBehind',
    expr: 'enc_archive_lag_seconds > 3600',
    severity: 'warning',
    summary: 'The archive falls behind: {{ $labels.instance }}',
    description: 'An enclave has waited for {{ $value | humanizeDuration }}.',
  },
] as const satisfies readonly Alert[];
