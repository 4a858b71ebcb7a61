import type { Topology } from './topology.ts';

/** What a shard says of itself with every heartbeat. */
export interface Beat {
  /** where its link is: ws:// or wss:// */
  readonly url: string;
  /** random name of its process, hex, so that a restart is seen */
  readonly process: string;
  /** version of the topology that it follows */
  readonly topology: number;
  /** enclaves that it has open, and those of them that are to go to another shard at their next idle moment */
  readonly active: number;
  readonly guests: number;
  /** stores that it can't use, as operators call them: 'log', 'log 2', 'guard' */
  readonly silent: readonly string[];
  /** those that it could not use until lately */
  readonly recovering: readonly string[];
}

/** How often a shard renews its heartbeat, and how long one counts, ms (ARCHITECTURE §4). */
export const BEAT_EVERY_MS = 500;
export const BEAT_VALID_MS = 2000;
/** How often everybody looks, ms. */
export const LOOK_EVERY_MS = 250;

/** What was seen at once: the topology (version 0 if none was published), and the heartbeats that count, by shard. */
export interface Sight {
  readonly topology: Topology;
  readonly beats: ReadonlyMap<number, Beat>;
}

/**
 * Where the shape of the cluster and the health of its shards are shared, so that all routers agree whom to ask. Only
 * for speed and liveness: none of it appears in the safety argument (ARCHITECTURE §3). Every call rejects when the store
 * can't be reached within a second or so.
 */
export interface TopologyStore {
  /** Topology and heartbeats, of `shards` shards at least (a shard that leaves the topology is still there for a while). */
  look(shards: number): Promise<Sight>;
  /** Puts a topology of `shards` shards in place of the one with version `version` (0: of none). False if another is there. */
  publish(version: number, shards: number): Promise<boolean>;
  beat(shard: number, beat: Beat, validMs: number): Promise<void>;
  /** Takes a heartbeat back, if it is still that of this process: the shard drains. */
  withdraw(shard: number, process: string): Promise<void>;
  close(): Promise<void>;
}
