import { NO_TOPOLOGY, type Topology } from './topology.ts';
import type { Beat, Sight, TopologyStore } from './topology-store.ts';

/** A topology store within one process: for clusters that live in one, such as those of tests. */
export class MemoryTopology implements TopologyStore {
  #topology: Topology;
  readonly #beats = new Map<number, { beat: Beat; until: number }>();

  constructor(topology: Topology = NO_TOPOLOGY) {
    this.#topology = topology;
  }

  async look(): Promise<Sight> {
    const now = performance.now();
    const counting = [...this.#beats].filter(([, { until }]) => until > now);
    return { topology: this.#topology, beats: new Map(counting.map(([shard, { beat }]) => [shard, beat])) };
  }

  async publish(version: number, shards: number): Promise<boolean> {
    if (version !== this.#topology.version) return false;
    this.#topology = { version: version + 1, shards, before: this.#topology.shards };
    return true;
  }

  async beat(shard: number, beat: Beat, validMs: number): Promise<void> {
    this.#beats.set(shard, { beat, until: performance.now() + validMs });
  }

  async withdraw(shard: number, process: string): Promise<void> {
    if (this.#beats.get(shard)?.beat.process === process) this.#beats.delete(shard);
  }

  async close(): Promise<void> {}
}
