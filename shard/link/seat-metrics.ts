import type { Meters } from '../../cluster/metrics/meters.ts';

export interface SeatGauges {
  /** version of the topology that it follows, and whether the store of it can be reached */
  readonly topology: () => number;
  readonly storeReachable: () => boolean;
  /** seconds since the heartbeat was last renewed */
  readonly heartbeatAge: () => number;
  readonly routers: () => number;
  readonly underWay: () => number;
  readonly refusedLinks: () => number;
  /** enclaves that are open here and belong elsewhere */
  readonly guests: () => number;
}

/** What a shard of a cluster tells besides. */
export function createSeatMetrics(meters: Meters, gauges: SeatGauges): void {
  meters.gauge('enc_shard_topology_version', 'version of the topology in use', gauges.topology);
  meters.gauge('enc_topology_store_reachable', '1 while topology and heartbeats can be read', () =>
    gauges.storeReachable() ? 1 : 0,
  );
  meters.gauge('enc_shard_heartbeat_age_seconds', 'since the heartbeat was last renewed', gauges.heartbeatAge);
  meters.gauge('enc_shard_routers', 'routers that are linked', gauges.routers);
  meters.gauge('enc_shard_link_requests', 'requests of routers under way', gauges.underWay);
  meters.counted('enc_shard_links_refused_total', 'links that failed the handshake', gauges.refusedLinks);
  meters.gauge('enc_guest_enclaves', 'enclaves that are open here and belong to another shard', gauges.guests);
}
