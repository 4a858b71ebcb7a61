import { randomBytes } from 'node:crypto';
import { readLinkSecret } from '../../cluster/link/link-secret.ts';
import type { Meters } from '../../cluster/metrics/meters.ts';
import { ClusterView } from '../../cluster/topology/cluster-view.ts';
import { BEAT_EVERY_MS, BEAT_VALID_MS, type TopologyStore } from '../../cluster/topology/topology-store.ts';
import { shardOf } from '../../protocol/jump.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import type { Api } from '../api/api.ts';
import type { ClusterConfig } from '../config/cluster-config.ts';
import type { EnclaveActor } from '../enclave/actor.ts';
import type { ClusterHooks, Enclaves } from '../enclave/enclaves.ts';
import type { EnclaveLog } from '../log/enclave-log.ts';
import type { ShardMetrics } from '../metrics.ts';
import { Ownership } from '../ownership/ownership.ts';
import type { StoresSeen } from '../silent-stores.ts';
import { LinkServer } from './link-server.ts';
import { createSeatMetrics } from './seat-metrics.ts';

export interface SeatModules {
  readonly store: TopologyStore;
  readonly warn: (fields: object, message: string) => void;
  /** whether this shard can use the stores that it shares with others */
  readonly stores: () => StoresSeen;
}

export interface SeatHouse {
  readonly api: Api;
  readonly log: EnclaveLog;
  readonly enclaves: Enclaves;
  readonly metrics: Pick<ShardMetrics, 'answers' | 'takeOvers' | 'givenBack'>;
  readonly meters: Meters;
  readonly maxBody: number;
  readonly tracing: Tracing | null;
}

/**
 * This shard's seat in the cluster: what it sees of it, its heartbeat, the rules of whose enclave is whose, and the link
 * on which routers reach it.
 */
export class Seat {
  readonly view: ClusterView;
  readonly #o: ClusterConfig;
  readonly #m: SeatModules;
  readonly #process = randomBytes(16);
  #ownership: Ownership | null = null;
  #links: LinkServer | null = null;
  #beating: NodeJS.Timeout | null = null;
  /** performance.now() when the heartbeat was last renewed */
  #beatAt = performance.now();

  constructor(options: ClusterConfig, modules: SeatModules) {
    this.#o = options;
    this.#m = modules;
    this.view = new ClusterView(modules.store, {
      onBlind: (reason) =>
        modules.warn({ reason }, 'the topology store can not be reached: going on with what was seen last'),
    });
  }

  /** For Enclaves, which is there before the seat is taken. */
  readonly hooks: ClusterHooks = {
    mayWake: (enclave) => this.#ownership?.mayWake(enclave) ?? false,
    mayOpen: (enclave, owner) => this.#ownership?.mayOpen(enclave, owner) ?? true,
    opened: (actor) => this.#ownership?.opened(actor),
  };

  /** Is this shard the first choice for the enclave? Of the archive's sweeps each then does its own. */
  isHome(enclave: Uint8Array): boolean {
    const { shards } = this.view.topology;
    return shards === 0 || shardOf(enclave, shards) === this.#o.shard;
  }

  readonly confirm = (actor: EnclaveActor): Promise<number> => this.#ownership?.confirm(actor) ?? Promise.resolve(0);

  /** Listens for routers, and says so with a heartbeat. Resolves to the address of the link. */
  async take(house: SeatHouse): Promise<string> {
    const { shard, link } = this.#o;
    const { enclaves, log, metrics } = house;
    createSeatMetrics(house.meters, {
      topology: () => this.view.topology.version,
      storeReachable: () => !this.view.blind,
      heartbeatAge: () => (performance.now() - this.#beatAt) / 1000,
      routers: () => this.#links?.routers ?? 0,
      underWay: () => this.#links?.underWay ?? 0,
      refusedLinks: () => this.#links?.refused ?? 0,
      guests: () => this.#ownership?.guests ?? 0,
    });
    const failed = (error: unknown, trace: Traced | null): void =>
      this.#m.warn({ err: error, ...trace?.fields }, 'a request failed');
    const ownership = new Ownership({ shard, view: this.view, log, enclaves, metrics });
    this.#ownership = ownership;
    await this.view.look();
    this.#links = await LinkServer.listen(
      {
        ...link,
        secret: readLinkSecret(link.secret),
        shard,
        process: this.#process,
        maxBody: house.maxBody,
        window: { maxRequests: link.maxRequests, maxBytes: link.maxBytes },
      },
      {
        api: house.api,
        ownership,
        topology: () => this.view.topology,
        adopt: (topology) => void this.view.adopt(topology),
        failed,
        tracing: house.tracing,
        answered: (code) => metrics.answers.count(code),
      },
    );
    this.view.onTopology((topology) => this.#links?.tell(topology));
    const url = link.url ?? `${link.tls ? 'wss' : 'ws'}://${hostOf(link.host)}:${this.#links.port}`;
    const process = this.#process.toString('hex');
    // When the store can't be reached, the view says so, once.
    const beat = async (): Promise<void> => {
      // What this shard sends may arrive though no answer comes back: it would look alive and could serve nothing.
      if (this.view.blind) return;
      const { version: topology } = this.view.topology;
      const counts = { active: enclaves.active, guests: ownership.guests };
      const said = { url, process, topology, ...counts, ...this.#m.stores() };
      await this.#m.store.beat(shard, said, BEAT_VALID_MS).then(
        () => {
          this.#beatAt = performance.now();
        },
        () => {},
      );
    };
    await beat();
    this.#beating = setInterval(() => void beat(), BEAT_EVERY_MS);
    return url;
  }

  /** Routers ask others from now on; resolves when what they had asked here is answered, or after `ms`. */
  async leave(ms: number): Promise<void> {
    if (this.#beating) clearInterval(this.#beating);
    this.#ownership?.drain();
    this.#links?.leave();
    await this.#m.store.withdraw(this.#o.shard, this.#process.toString('hex')).catch(() => {});
    await this.#links?.quiet(ms);
  }

  async close(): Promise<void> {
    this.#ownership?.close();
    this.view.close();
    await this.#links?.close();
    await this.#m.store.close();
  }
}

const hostOf = (host: string): string => (host.includes(':') ? `[${host}]` : host);
