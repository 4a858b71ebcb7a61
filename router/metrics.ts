import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

export interface RouterGauges {
  readonly waiting: () => number;
  readonly pendingBytes: () => number;
  readonly reachable: () => number;
  readonly topology: () => number;
  readonly version: string;
}

export type RouterMetrics = ReturnType<typeof createRouterMetrics>;

/** The metrics of one router. Labels never carry an enclave or an identity. */
export function createRouterMetrics(register: Registry, gauges: RouterGauges) {
  const registers = [register];
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 10 });
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
  gauge('enc_router_waiting_requests', 'requests that wait for a shard', gauges.waiting);
  gauge('enc_router_pending_bytes', 'bodies under way', gauges.pendingBytes);
  gauge('enc_router_reachable_shards', 'shards that can be asked', gauges.reachable);
  gauge('enc_router_topology_version', 'version of the topology in use', gauges.topology);
  new Gauge({ name: 'enc_build_info', help: 'always 1; what runs here', labelNames: ['version'], registers }).set(
    { version: gauges.version },
    1,
  );
  return {
    retries: counter('enc_router_retries_total', 'requests that were sent once more'),
    moved: counter('enc_router_moved_total', 'requests that a shard sent elsewhere'),
    stale: counter('enc_router_stale_total', 'requests that were sent under an older topology'),
    expired: counter('enc_router_expired_total', 'requests that were not answered in time'),
    full: counter('enc_router_full_links_total', 'requests refused because a link was full'),
    answers: new Counter({ name: 'enc_errors_total', help: 'error answers by code', labelNames: ['code'], registers }),
  };
}
