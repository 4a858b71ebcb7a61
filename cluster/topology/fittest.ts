import type { Beat } from './topology-store.ts';

/**
 * The heartbeats that count. A shard that has lost its guard, or a log, is as good as dead while another lacks less. Where all
 * have lost the same nothing is gained by moving, so then it is as if nobody had; and one that has only just found a store
 * again is no better than the others, who are about to. Shards beyond `shards`, which leave, are nobody's alternative and
 * count as they are.
 */
export function fittest(beats: ReadonlyMap<number, Beat>, shards: number): ReadonlyMap<number, Beat> {
  let least = Number.POSITIVE_INFINITY;
  for (const [shard, { silent, recovering }] of beats)
    if (shard < shards) least = Math.min(least, silent.length + recovering.length);
  const fit = [...beats].filter(([shard, { silent }]) => shard >= shards || silent.length <= least);
  return fit.length === beats.size ? beats : new Map(fit);
}
