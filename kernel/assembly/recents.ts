import { dedupeExport, dedupeExportSize } from './dedupe';
import { freshOutput } from './input';
import { Buf, copy32 } from './memory';
import { smtLeaves } from './smt';

/**
 * The commits accepted last, by seq, so that what came since a checkpoint is exported without a walk over all the
 * unexpired ones. It holds every commit from `first` on: 40 bytes each, hash32 and u64 exp.
 */
const LATEST = changetype<Buf>(memory.data(12, 8));
const ROW: usize = 40;
/**
 * Rows that are kept at most, older ones are left to the table of hashes: half as many again as the events between two
 * checkpoints (ARCHITECTURE §3), which wait for a bundle to end, and are rarer when the state is large.
 */
function most(): usize {
  return 6144 + <usize>(smtLeaves() >> 2);
}

let first: i64 = 0;

export function recentAdd(hash: usize, exp: u64, seq: i64): void {
  if (LATEST.len >= most() * ROW) dropLatest(LATEST.len / ROW / 2);
  if (!LATEST.len) first = seq;
  const row = LATEST.reserve(ROW);
  copy32(row, hash);
  store<u64>(row, exp, 32);
  LATEST.len += ROW;
}

function dropLatest(rows: usize): void {
  LATEST.len -= rows * ROW;
  memory.copy(LATEST.ptr, LATEST.ptr + rows * ROW, LATEST.len);
  first += rows;
}

/**
 * (hash32, u64 exp, u64 seq) of the accepted commits with fromSeq ≤ seq ≤ toSeq and exp > headTime, by seq, into the
 * output. What it exports is dropped here: the next export begins behind it.
 */
export function recentExport(fromSeq: i64, toSeq: i64, headTime: u64): void {
  const out = freshOutput();
  if (!LATEST.len || fromSeq < first) {
    const size = dedupeExportSize(fromSeq, toSeq, headTime);
    dedupeExport(fromSeq, toSeq, headTime, out.reserve(size), size);
    out.len = size;
    return;
  }
  const end = min<i64>(toSeq + 1, first + <i64>(LATEST.len / ROW));
  for (let seq = fromSeq; seq < end; seq++) {
    const row = LATEST.ptr + <usize>(seq - first) * ROW;
    if (load<u64>(row, 32) <= headTime) continue;
    const to = out.reserve(48);
    memory.copy(to, row, 40);
    store<i64>(to, seq, 40);
    out.len += 48;
  }
  if (end > first) dropLatest(<usize>(end - first));
  if (!LATEST.len) LATEST.trim(4096);
}
