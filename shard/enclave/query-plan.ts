import { decodeFilter, type NumberFilter } from '../../protocol/filter.ts';
import { unhex } from '../../protocol/hex.ts';
import type { CandidatePlan } from '../log/enclave-log.ts';

/** Where the filter begins in an inspected Query or Pull (layout: kernel/kernel.ts). */
const PAYLOAD = 144;

export interface QueryPlan {
  readonly plan: CandidatePlan;
  /** events of the answer at most */
  readonly limit: number;
}

/** What the indexes can do for the filter of an inspected Query or Pull, up to seq `last`. */
export async function queryPlan(
  request: Uint8Array,
  last: number,
  seqAtTime: (time: number) => Promise<number>,
): Promise<QueryPlan> {
  const filter = decodeFilter(request.subarray(PAYLOAD));
  const seqs = bounds(filter.seq);
  let from = Math.max(0, seqs.from);
  let to = Math.min(last, seqs.to);
  if (filter.time) {
    const times = bounds(filter.time);
    from = Math.max(from, await seqAtTime(times.from));
    to = Math.min(to, (await seqAtTime(times.to + 1)) - 1);
  }
  const plan: CandidatePlan = {
    from,
    to,
    reverse: filter.reverse,
    ...(filter.ids && { ids: filter.ids.map(unhex) }),
    ...(filter.seq && filter.seq.values.length > 0 && { seqs: filter.seq.values }),
    ...(filter.types && { types: filter.types }),
    ...(filter.froms && { froms: filter.froms.map(unhex) }),
    ...(filter.tags && filter.tags.length > 0 && { tags: filter.tags }),
  };
  return { plan, limit: filter.limit };
}

/** The smallest range that holds all that the filter can match. */
function bounds(filter: NumberFilter | null): { from: number; to: number } {
  if (!filter) return { from: 0, to: Number.MAX_SAFE_INTEGER };
  if (filter.values.length === 0) return filter;
  return { from: Math.min(...filter.values), to: Math.max(...filter.values) };
}
