import { type Alert, ours, WHERE } from './alert.ts';

const VERSIONS = '(enc_router_topology_version or enc_shard_topology_version)';

/** Is everybody there, and do they agree? */
export const CLUSTER_ALERTS = [
  {
    alert: 'EncProcessDown',
    expr: 'up == 0 and on (job, instance) max_over_time(enc_build_info[1h])',
    for: '1m',
    severity: 'warning',
    summary: 'A process does not answer: {{ $labels.job }} {{ $labels.instance }}',
    description: 'Its operator port has not answered Prometheus for a minute. Others do its work, if there are any.',
  },
  {
    alert: 'EncProcessRestarts',
    expr: ours('changes(process_start_time_seconds[15m]) > 2'),
    severity: 'warning',
    summary: 'A process keeps starting: {{ $labels.job }} {{ $labels.instance }}',
    description: 'It was started {{ $value }} times within 15 minutes.',
  },
  {
    alert: 'EncRouterCutOff',
    expr: 'enc_router_reachable_shards == 0',
    for: '30s',
    severity: 'critical',
    summary: 'A router reaches no shard: {{ $labels.instance }}',
    description: 'Everything that it is asked is answered `unavailable`; it is not ready, so nobody should ask it.',
  },
  {
    alert: 'EncShardMissing',
    expr: 'max by (namespace) (enc_router_shards - enc_router_live_shards) > 0',
    for: '1m',
    severity: 'warning',
    summary: `{{ $value }} shards are missing${WHERE}`,
    description: 'The topology names them, and no heartbeat of theirs counts. Other shards serve their enclaves.',
  },
  {
    alert: 'EncLinkDown',
    expr: 'enc_router_link_up == 0',
    for: '2m',
    severity: 'warning',
    summary: 'Router {{ $labels.instance }} has no link to shard {{ $labels.shard }}',
    description: 'It asks other shards for the enclaves of that one.',
  },
  {
    alert: 'EncTopologiesDiffer',
    expr: `max by (namespace) ${VERSIONS} - min by (namespace) ${VERSIONS} > 0`,
    for: '2m',
    severity: 'warning',
    summary: `Routers and shards follow different topologies${WHERE}`,
    description: 'Somebody has not heard of the last change of the number of shards: {{ $value }} versions behind.',
  },
  {
    alert: 'EncTopologyStoreUnreachable',
    expr: 'enc_topology_store_reachable == 0',
    for: '1m',
    severity: 'warning',
    summary: 'No connection to the topology store: {{ $labels.job }} {{ $labels.instance }}',
    description: 'It goes on with what it saw last, and does not notice which shards die, or a change of the topology.',
  },
  {
    alert: 'EncTakeOversGoOn',
    expr: 'sum by (namespace) (increase(enc_take_overs_total[10m])) > 0',
    for: '30m',
    severity: 'warning',
    summary: `Shards keep taking enclaves over from each other${WHERE}`,
    description: '{{ $value | humanize }} take-overs within 10 minutes, and for half an hour now.',
  },
  {
    alert: 'EncLinksRefused',
    expr: 'sum by (namespace, job, instance) (increase(enc_shard_links_refused_total[15m])) > 3',
    severity: 'warning',
    summary: 'A shard refuses links: {{ $labels.instance }}',
    description: 'Somebody connects to its link port without the link secret, or means another shard.',
  },
  {
    alert: 'EncVersionsDiffer',
    expr: 'count by (namespace) (count by (namespace, version) (enc_build_info)) > 1',
    for: '1h',
    severity: 'warning',
    summary: `{{ $value }} versions run beside each other${WHERE}`,
    description: 'A rollout has not ended within an hour.',
  },
] as const satisfies readonly Alert[];
