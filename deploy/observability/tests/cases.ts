import type { AlertName } from '../rules/groups.ts';
import { BUILD, type Case, lasting, NODE, once } from './case.ts';

const answers = (outcome: string): string => `enc_answers_total{job="router",instance="router-0",outcome="${outcome}"}`;
const POST = 'job="router",instance="router-0",call="post",outcome="ok"';

/** `failed` of 1,000 answers a minute fail; refusals count for nothing. */
const failing = (failed: number): Readonly<Record<string, string>> => ({
  [answers('ok')]: `0+${1000 - failed}x180`,
  [answers('failed')]: `0+${failed}x180`,
  [answers('refused')]: '0+5000x180',
});
/** `slow` of 1,000 commits a minute take longer than the objective. */
const lagging = (slow: number): Readonly<Record<string, string>> => ({
  [`enc_answer_seconds_bucket{${POST},le="0.256"}`]: `0+${1000 - slow}x180`,
  [`enc_answer_seconds_count{${POST}}`]: '0+1000x180',
});
const shardMissing = (live: string): Readonly<Record<string, string>> => ({
  'enc_router_shards{job="router",instance="router-0"}': '3x60',
  'enc_router_live_shards{job="router",instance="router-0"}': live,
});
const topologies = (shard: string): Readonly<Record<string, string>> => ({
  'enc_router_topology_version{job="router",instance="router-0"}': '1x5 2x60',
  [`enc_shard_topology_version{${NODE}}`]: shard,
});
const redis = (metric: string): string => `${metric}{${NODE},store="log",server="0"}`;
const memory = (used: string, limit: string): Readonly<Record<string, string>> => ({
  [redis('enc_redis_memory_bytes')]: used,
  [redis('enc_redis_memory_limit_bytes')]: limit,
});
const writes = (quick: string): Readonly<Record<string, string>> => ({
  [`enc_store_write_seconds_bucket{${NODE},store="log",server="0",le="0.064"}`]: quick,
  [`enc_store_write_seconds_bucket{${NODE},store="log",server="0",le="0.256"}`]: '0+600x60',
  [`enc_store_write_seconds_bucket{${NODE},store="log",server="0",le="+Inf"}`]: '0+600x60',
});
const room = (free: string): Readonly<Record<string, string>> => ({
  [`enc_disk_size_bytes{${NODE},folder="log"}`]: '1000x60',
  [`enc_disk_free_bytes{${NODE},folder="log"}`]: free,
});
/** With this product's name on it, and without. */
const nodeProcess = (series: string, values: string): Case => ({
  fires: { series: { ...BUILD, [`${series}{${NODE}}`]: values } },
  quiet: { series: { ...BUILD, [`${series}{job="somebody-else",instance="web"}`]: values } },
});
const files = (open: string): Readonly<Record<string, string>> => ({
  ...BUILD,
  [`process_open_fds{${NODE}}`]: open,
  [`process_max_fds{${NODE}}`]: '1000x60',
});

/** Every alert: what makes it fire, and what is near to it and does not. */
export const CASES: Readonly<Record<AlertName, Case>> = {
  // 14.4 times the budget of 0.1 % is 1.44 %, 6 times is 0.6 %; 3 times 0.3 %, once 0.1 %.
  EncAnswersFailFast: {
    fires: { series: failing(20), at: '10m' },
    quiet: { series: failing(5), at: '2h' },
  },
  EncAnswersFailSlowly: {
    fires: { series: failing(4), at: '2h' },
    quiet: { series: failing(0), at: '2h' },
  },
  EncCommitsSlowFast: {
    fires: { series: lagging(200), at: '10m' },
    quiet: { series: lagging(50), at: '2h' },
  },
  EncCommitsSlowSlowly: {
    fires: { series: lagging(40), at: '2h' },
    quiet: { series: lagging(5), at: '2h' },
  },
  EncProcessDown: {
    fires: {
      series: { [`up{${NODE}}`]: '1x10 0x60', [`enc_build_info{${NODE}}`]: '1x10 _x60' },
    },
    // What has never been one of ours is somebody else's to look after.
    quiet: { series: { ...BUILD, [`up{${NODE}}`]: '1x60', 'up{job="somebody-else",instance="web"}': '0x60' } },
  },
  EncProcessRestarts: {
    fires: { series: { ...BUILD, [`process_start_time_seconds{${NODE}}`]: '1x5 2x2 3x2 4x60' }, at: '15m' },
    quiet: { series: { ...BUILD, [`process_start_time_seconds{${NODE}}`]: '1x5 2x60' }, at: '15m' },
  },
  EncRouterCutOff: lasting('enc_router_reachable_shards{job="router",instance="router-0"}', '3', '0'),
  EncShardMissing: {
    fires: { series: shardMissing('3x4 2x60') },
    quiet: { series: shardMissing('3x4 2 3x60') },
  },
  EncLinkDown: lasting('enc_router_link_up{job="router",instance="router-0",shard="1"}', '1', '0'),
  EncTopologiesDiffer: {
    fires: { series: topologies('1x60') },
    quiet: { series: topologies('1x6 2x60') },
  },
  EncTopologyStoreUnreachable: lasting(`enc_topology_store_reachable{${NODE}}`, '1', '0'),
  EncTakeOversGoOn: {
    fires: { series: { [`enc_take_overs_total{${NODE}}`]: '0+3x120' }, at: '1h' },
    // A shard died, its enclaves moved, and that was it.
    quiet: { series: { [`enc_take_overs_total{${NODE}}`]: '0x20 500x120' }, at: '1h' },
  },
  EncLinksRefused: {
    fires: { series: { [`enc_shard_links_refused_total{${NODE}}`]: '0+1x60' } },
    quiet: { series: { [`enc_shard_links_refused_total{${NODE}}`]: '0x10 1x60' } },
  },
  EncVersionsDiffer: {
    fires: {
      series: { ...BUILD, 'enc_build_info{job="router",instance="router-0",version="2"}': '1x300' },
      at: '70m',
    },
    quiet: {
      series: { ...BUILD, 'enc_build_info{job="router",instance="router-0",version="2"}': '1x30 _x100' },
      at: '70m',
    },
  },
  EncEnclaveRegressed: once(`enc_regressed_opens_total{${NODE}}`),
  EncOpenFailures: once(`enc_open_failures_total{${NODE}}`),
  EncAppendsUnknown: {
    ...once(`enc_append_failures_total{${NODE},result="unknown"}`),
    // Fenced appends are what a take-over looks like.
    quiet: { series: { [`enc_append_failures_total{${NODE},result="fenced"}`]: '0x10 9x60' }, at: '12m' },
  },
  EncGuardFailures: once(`enc_guard_failures_total{${NODE},result="refused"}`),
  EncCheckpointFailures: once(`enc_checkpoint_failures_total{${NODE}}`),
  EncClockSkew: once(`enc_clock_skew_alarms_total{${NODE}}`),
  EncInternalErrors: {
    ...once(`enc_errors_total{${NODE},code="internal"}`),
    quiet: { series: { [`enc_errors_total{${NODE},code="forbidden"}`]: '0+60x60' }, at: '12m' },
  },
  EncCryptoWorkerDied: once(`enc_crypto_worker_deaths_total{${NODE}}`),
  EncSlowSignatures: {
    fires: { series: { [`enc_build_info{${NODE},secp256k1="noble"}`]: '1x60' } },
    quiet: { series: BUILD },
  },
  EncRedisDown: lasting(redis('enc_redis_connected'), '1', '0'),
  EncRedisShort: {
    ...once(`enc_redis_failures_total{${NODE},store="log",server="0",reason="short"}`),
    quiet: {
      series: { [`enc_redis_failures_total{${NODE},store="log",server="0",reason="lost"}`]: '0x10 1x60' },
      at: '12m',
    },
  },
  EncRedisFewerReplicas: {
    fires: { series: { [redis('enc_redis_replicas')]: '2x10 1x60' }, at: '30m' },
    quiet: { series: { [redis('enc_redis_replicas')]: '1x10 2x60' }, at: '30m' },
  },
  EncRedisMemory: {
    fires: { series: memory('900x60', '1000x60') },
    // Without maxmemory there is no limit to be near to.
    quiet: { series: memory('900x60', '0x60') },
  },
  EncStoreSlow: {
    fires: { series: writes('0+500x60') },
    quiet: { series: writes('0+599x60') },
  },
  EncDiskFills: {
    fires: { series: room('500x5 50x60') },
    quiet: { series: room('110x60') },
  },
  EncArchiveConflict: {
    ...once(`enc_archive_failures_total{${NODE},reason="conflict"}`),
    quiet: { series: { [`enc_archive_failures_total{${NODE},reason="store"}`]: '0x10 1x60' }, at: '12m' },
  },
  EncArchiveAway: {
    fires: { series: { [`enc_archive_failures_total{${NODE},reason="store"}`]: '0+1x60' }, at: '30m' },
    quiet: { series: { [`enc_archive_failures_total{${NODE},reason="store"}`]: '0x10 1x60' }, at: '30m' },
  },
  EncArchiveFails: once(`enc_archive_failures_total{${NODE},reason="log"}`),
  EncArchiveBehind: {
    fires: { series: { [`enc_archive_lag_seconds{${NODE}}`]: '0+60x120' }, at: '62m' },
    quiet: { series: { [`enc_archive_lag_seconds{${NODE}}`]: '0+60x120' }, at: '59m' },
  },
  EncOverloaded: {
    fires: { series: { [`enc_errors_total{${NODE},code="overloaded"}`]: '0+60x60' } },
    quiet: { series: { [`enc_errors_total{${NODE},code="overloaded"}`]: '0x5 60x60' } },
  },
  EncEventLoopLate: nodeProcess('nodejs_eventloop_lag_p99_seconds', '0.4x60'),
  EncFilesRunOut: {
    fires: { series: files('900x60') },
    quiet: { series: files('500x60') },
  },
};
