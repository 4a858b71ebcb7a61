import { shardOf } from '../../protocol/jump.ts';

/** The shape of a cluster (ARCHITECTURE §4). Versions only grow; 0 is the shape of nothing, before one was published. */
export interface Topology {
  readonly version: number;
  /** shards 0 … shards − 1 */
  readonly shards: number;
  /** how many there were in the version before, 0 if this is the first: so every shard knows what has just moved to it */
  readonly before: number;
}

export const NO_TOPOLOGY: Topology = { version: 0, shards: 0, before: 0 };
/** More shards than anybody has, and few enough that trying all candidates ends. */
export const MAX_SHARDS = 65_535;

export function isTopology(value: unknown): value is Topology {
  const { version, shards, before } = (value ?? {}) as Record<string, unknown>;
  return isCount(version, 1, 0xffffffff) && isCount(shards, 1, MAX_SHARDS) && isCount(before, 0, MAX_SHARDS);
}

const isCount = (value: unknown, min: number, max: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;

/** Attempts after which a candidate that was not named yet is taken in order: hashes may repeat for long. */
const HASHED_ATTEMPTS = 64;

/**
 * The shards that may own an enclave, in the order in which everybody tries them (ARCHITECTURE §4): the first choice,
 * then what jump hash says for attempt 1, 2, …, each once; last, in order, whatever hashing has not named.
 */
export function* candidates(enclave: Uint8Array, shards: number): Generator<number, void> {
  const tried = new Set<number>();
  for (let attempt = 0; attempt < HASHED_ATTEMPTS && tried.size < shards; attempt++) {
    const shard = shardOf(enclave, shards, attempt);
    if (tried.has(shard)) continue;
    tried.add(shard);
    yield shard;
  }
  for (let shard = 0; shard < shards; shard++) if (!tried.has(shard)) yield shard;
}
