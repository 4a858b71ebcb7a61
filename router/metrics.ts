import type { Meters } from '../cluster/metrics/meters.ts';
import { AnswerTally } from '../shard/api/answer-tally.ts';

/** One shard, as a router sees it. */
export interface LinkState {
  readonly shard: number;
  readonly open: boolean;
  readonly underWay: number;
}

export interface RouterGauges {
  readonly waiting: () => number;
  readonly pendingBytes: () => number;
  readonly pendingLimit: number;
  readonly reachable: () => number;
  /** shards of the topology, and those of them whose heartbeat counts */
  readonly shards: () => number;
  readonly live: () => number;
  readonly links: () => LinkState[];
  readonly topology: () => number;
  readonly storeReachable: () => boolean;
  readonly version: string;
}

export type RouterMetrics = ReturnType<typeof createRouterMetrics>;

/** The metrics of one router. Labels never carry an enclave or an identity. */
export function createRouterMetrics(meters: Meters, gauges: RouterGauges) {
  meters.process();
  meters.build({ role: 'router', version: gauges.version });
  meters.gauge('enc_router_waiting_requests', 'requests that wait for a shard', gauges.waiting);
  meters.gauge('enc_router_pending_bytes', 'bodies under way', gauges.pendingBytes);
  meters.gauge(
    'enc_pending_limit_bytes',
    'bytes under way beyond which calls are overloaded',
    () => gauges.pendingLimit,
  );
  meters.gauge('enc_router_reachable_shards', 'shards that can be asked', gauges.reachable);
  meters.gauge('enc_router_shards', 'shards of the topology', gauges.shards);
  meters.gauge('enc_router_live_shards', 'shards of the topology whose heartbeat counts', gauges.live);
  meters.gauge('enc_router_topology_version', 'version of the topology in use', gauges.topology);
  meters.gauge('enc_topology_store_reachable', '1 while topology and heartbeats can be read', () =>
    gauges.storeReachable() ? 1 : 0,
  );
  const perShard = (name: string, help: string, read: (link: LinkState) => number): void =>
    meters.gauges(name, help, ['shard'], () =>
      gauges.links().map((link) => [{ shard: String(link.shard) }, read(link)] as const),
    );
  perShard('enc_router_link_up', '1 while the link to a shard stands', ({ open }) => (open ? 1 : 0));
  perShard('enc_router_link_requests', 'requests under way on the link to a shard', ({ underWay }) => underWay);
  return {
    answers: new AnswerTally(meters),
    retries: meters.counter('enc_router_retries_total', 'requests that were sent once more'),
    moved: meters.counter('enc_router_moved_total', 'requests that a shard sent elsewhere'),
    stale: meters.counter('enc_router_stale_total', 'requests that were sent under an older topology'),
    expired: meters.counter('enc_router_expired_total', 'requests that were not answered in time'),
    full: meters.counter('enc_router_full_links_total', 'requests refused because a link was full'),
    linksLost: meters.counter('enc_router_links_lost_total', 'links to shards that broke, and attempts that failed'),
  };
}
