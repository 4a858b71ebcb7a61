import { RedisTopology } from '../cluster/topology/redis-topology.ts';
import { waitFor } from '../test/parts/wait-for.ts';
import { ClusterHouse } from './cluster-house.ts';
import { CONNECTIONS, type Measured, Notes, saturate } from './cluster-load.ts';
import { type BenchOptions, scaled } from './options.ts';

const BUNDLE = { size: 256, timeout: 5000 };

export interface SceneOptions {
  readonly shards: number;
  /** enclaves that are stored before the cluster starts, each with one event */
  readonly enclaves: number;
  readonly bench: BenchOptions;
  /** looks at the stores before anything else runs */
  readonly filled?: (house: ClusterHouse) => Promise<void>;
}

/** A cluster with filled enclaves, whose shape can be changed, and commits for them. */
export class ClusterScene implements AsyncDisposable {
  readonly house: ClusterHouse;
  readonly topology: RedisTopology;
  readonly notes: Notes;
  readonly enclaves: readonly string[];
  /** those that were started */
  readonly shards: number;
  readonly bench: BenchOptions;

  private constructor(
    house: ClusterHouse,
    topology: RedisTopology,
    notes: Notes,
    enclaves: readonly string[],
    { shards, bench }: SceneOptions,
  ) {
    this.house = house;
    this.topology = topology;
    this.notes = notes;
    this.enclaves = enclaves;
    this.shards = shards;
    this.bench = bench;
  }

  static async set(options: SceneOptions): Promise<ClusterScene> {
    const house = await ClusterHouse.open();
    try {
      const enclaves = await house.fill((filler) => {
        filler.now = Date.now() - BUNDLE.timeout;
        return filler.many(options.enclaves, filler.corpus.author(0), [filler.corpus.author(1)], BUNDLE);
      });
      await options.filled?.(house);
      await house.start({ shards: options.shards, nodeArgs: options.bench.nodeArgs });
      const topology = new RedisTopology(house.logUrl, () => {});
      await topology.connected(10_000);
      return new ClusterScene(house, topology, await Notes.open(), enclaves, options);
    } catch (error) {
      await house.remove();
      throw error;
    }
  }

  /** The enclaves belong to the first `shards` shards from now on. */
  async reshape(shards: number): Promise<void> {
    await waitFor('a new topology', 10_000, async () => {
      const { topology, beats } = await this.topology.look(this.shards);
      if (topology.shards !== shards) await this.topology.publish(topology.version, shards);
      return topology.shards === shards && [...beats].every(([, beat]) => beat.topology === topology.version);
    });
  }

  /** `commits` at scale 1, as fast as they are answered. */
  saturate(enclaves: readonly string[], commits: number, shards = 1, connections = CONNECTIONS): Promise<Measured> {
    return saturate(this.house, this.bodies(enclaves, commits), shards, connections);
  }

  bodies(enclaves: readonly string[], commits: number): string[] {
    return this.notes.bodies(enclaves, scaled(this.bench, commits, 1000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.topology.close();
    await this.house.remove();
  }
}
