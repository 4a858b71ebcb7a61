import { fittest } from './fittest.ts';
import { NO_TOPOLOGY, type Topology } from './topology.ts';
import { type Beat, LOOK_EVERY_MS, type TopologyStore } from './topology-store.ts';

export interface ClusterViewOptions {
  readonly lookEveryMs?: number;
  /** told once each time that the store can't be reached any more */
  readonly onBlind?: (reason: string) => void;
}

/**
 * What a router or a shard knows of the cluster: the newest topology that it was told of, by the store or by the other
 * end of a link, and who is alive as the store says. While the store can't be reached, what was seen last counts on:
 * everybody would look dead otherwise, and links tell more anyway.
 */
export class ClusterView {
  readonly #store: TopologyStore;
  readonly #options: ClusterViewOptions;
  readonly #listeners = new Set<(topology: Topology) => void>();
  readonly #timer: NodeJS.Timeout;
  #topology: Topology = NO_TOPOLOGY;
  #beats: ReadonlyMap<number, Beat> = new Map();
  /** shards whose heartbeats the last look has asked for */
  #covered = 0;
  #looking: Promise<void> | null = null;
  #blind = false;

  constructor(store: TopologyStore, options: ClusterViewOptions = {}) {
    this.#store = store;
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookEveryMs ?? LOOK_EVERY_MS);
  }

  get topology(): Topology {
    return this.#topology;
  }

  /** Heartbeats that counted when it was last looked: of shards that are alive and can do as much as any other. */
  get beats(): ReadonlyMap<number, Beat> {
    return this.#beats;
  }

  /** The last look at the store has failed: it is not reached, or its answers do not come back. */
  get blind(): boolean {
    return this.#blind;
  }

  /** Is the shard alive and fit? Of one that a topology has only just named, nothing is known yet: it is not given up for that. */
  mayLive(shard: number): boolean {
    return this.#beats.has(shard) || shard >= this.#covered;
  }

  /** Looks once; calls made meanwhile share it. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** Takes a topology over if it is newer than what is known; true if it was. */
  adopt(topology: Topology): boolean {
    if (topology.version <= this.#topology.version) return false;
    this.#topology = topology;
    if (topology.shards > this.#covered) void this.look();
    for (const listener of this.#listeners) listener(topology);
    return true;
  }

  /** Told of every newer topology. */
  onTopology(listener: (topology: Topology) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #look(): Promise<void> {
    try {
      const { shards } = this.#topology;
      const { topology, beats } = await this.#store.look(shards);
      this.#beats = fittest(beats, topology.shards);
      this.#covered = Math.max(shards, topology.shards);
      this.#blind = false;
      this.adopt(topology);
    } catch (error) {
      if (!this.#blind) this.#options.onBlind?.(error instanceof Error ? error.message : String(error));
      this.#blind = true;
    }
  }
}
