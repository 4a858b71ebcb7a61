import { be32, concat, readBe64 } from './bytes.ts';
import { sha256 } from './hash.ts';

const MULTIPLIER = 2862933555777941757n;
const MASK = 0xffffffffffffffffn;

/**
 * Jump consistent hash (Lamping, Veach 2014), with the published algorithm's exact results: key is a u64, the result
 * is in 0 … buckets−1. Throws RangeError unless 1 ≤ buckets < 2^31.
 */
export function jump(key: bigint, buckets: number): number {
  if (!Number.isInteger(buckets) || buckets < 1 || buckets >= 2 ** 31)
    throw new RangeError('buckets must be in 1 … 2^31−1');
  let state = key & MASK;
  let bucket = -1;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    state = (state * MULTIPLIER + 1n) & MASK;
    next = Math.floor((bucket + 1) * (2 ** 31 / Number((state >> 33n) + 1n)));
  }
  return bucket;
}

/** Shard of an enclave (or of a lane id), PROTOCOL §12; attempt ≥ 1 names the next candidates (ARCHITECTURE §4). */
export function shardOf(enclave: Uint8Array, shards: number, attempt = 0): number {
  return jump(readBe64(sha256(attempt === 0 ? enclave : concat(enclave, be32(attempt)))), shards);
}

/** Lane 1 … m of an author's content commits where the enclave has m ≥ 1 content lanes (PROTOCOL §12). */
export function laneOf(enclave: Uint8Array, from: Uint8Array, m: number): number {
  return 1 + jump(readBe64(sha256(enclave, from)), m);
}
