import { Commit } from './commit';
import { align8 } from './fixed';
import * as L from './layout';
import { Buf, copy32 } from './memory';
import { smtClose, smtRoot } from './smt';
import { SEQUENCER, State } from './state';

/**
 * Regions that batches are staged into, used again and again. A record is written where it will be read from: stage
 * leaves seq_sig and id of events, roots over ids and signatures of closings open, and seal fills them in.
 *
 * Region: Buf skeleton  12 Buf content  24 Buf event hashes (32 each)  36 u32 events  40 u32 closings
 *         48 i64 seq before its first event
 */
const REGION: usize = 56;
const REGIONS: usize = memory.data(56 * 4, 8);
/** Kept by an empty region; a larger batch gives its memory back. */
const KEEP: usize = 1 << 18;
export const MAX_STAGED: u32 = 3;

/** The region of folded records, and of replay. */
export const FOLDED: usize = REGIONS + REGION * 3;

/** Where records go now; 0 outside of a batch. */
export let region: usize = 0;
let oldest: u32 = 0;
export let stagedBatches: u32 = 0;

// @ts-ignore: decorator
@inline
export function skeletonOf(r: usize): Buf {
  return changetype<Buf>(r);
}

// @ts-ignore: decorator
@inline
export function contentOf(r: usize): Buf {
  return changetype<Buf>(r + 12);
}

// @ts-ignore: decorator
@inline
export function hashesOf(r: usize): Buf {
  return changetype<Buf>(r + 24);
}

// @ts-ignore: decorator
@inline
export function eventsIn(r: usize): u32 {
  return load<u32>(r, 36);
}

// @ts-ignore: decorator
@inline
export function closingsIn(r: usize): u32 {
  return load<u32>(r, 40);
}

// @ts-ignore: decorator
@inline
export function seqBefore(r: usize): i64 {
  return load<i64>(r, 48);
}

export function clearRegion(r: usize): void {
  skeletonOf(r).trim(KEEP);
  contentOf(r).trim(KEEP);
  hashesOf(r).trim(KEEP);
  store<u32>(r, 0, 36);
  store<u32>(r, 0, 40);
  store<i64>(r, State.seq, 48);
}

/** Opens a region for a new batch; false if one is open, or MAX_STAGED are waiting. */
export function openRegion(): bool {
  if (region || stagedBatches == MAX_STAGED) return false;
  region = REGIONS + <usize>((oldest + stagedBatches) % MAX_STAGED) * REGION;
  stagedBatches++;
  clearRegion(region);
  return true;
}

/** Ends the open batch: its region, 0 if none is open. */
export function closeRegion(): usize {
  const r = region;
  region = 0;
  return r;
}

/** Takes the oldest batch that was ended: its region, 0 if there is none. */
export function takeRegion(): usize {
  if (stagedBatches == (region ? 1 : 0)) return 0;
  const r = REGIONS + <usize>oldest * REGION;
  oldest = (oldest + 1) % MAX_STAGED;
  stagedBatches--;
  return r;
}

/** Records go to the folded region from now on (there are no batches then). */
export function useFolded(): void {
  region = FOLDED;
}

/** Closings that are staged and not sealed. */
export function unsealedClosings(): u32 {
  let n: u32 = 0;
  for (let i: u32 = 0; i < stagedBatches; i++) n += closingsIn(REGIONS + <usize>((oldest + i) % MAX_STAGED) * REGION);
  return n;
}

function head(size: u32, kind: u32, time: i64): usize {
  const skeleton = skeletonOf(region);
  const record = skeleton.reserve(size);
  skeleton.len += size;
  memory.fill(record, 0, size);
  store<u32>(record, size);
  store<u8>(record, kind, L.R_KIND);
  store<u8>(record, L.FORMAT_VERSION, L.R_VERSION);
  store<u32>(record, State.lane, L.C_LANE);
  store<i64>(record, time, L.C_TIME);
  copy32(record + L.C_SEQUENCER, SEQUENCER);
  return record;
}

/** The tree head of the empty log, made with the Manifest. */
export function putGenesis(time: i64): usize {
  return head(272, L.KIND_GENESIS, time);
}

/** Closes the open bundle, which holds an event, at `time`. */
export function putClosing(time: i64): usize {
  const nodes = ctz<u64>(~<u64>State.closed);
  const record = head(272 + 32 * <u32>nodes, L.KIND_CLOSING, time);
  store<i64>(record, State.closed, L.C_INDEX);
  store<i64>(record, State.bundleFirst, L.C_FIRST);
  store<u32>(record, State.bundleCount, L.C_SIZE);
  store<u32>(record, <u32>nodes, L.C_NODES);
  copy32(record + L.C_STATE_HASH, smtRoot());
  smtClose();
  store<u32>(region, closingsIn(region) + 1, 40);
  State.closed++;
  State.bundleCount = 0;
  return record;
}

/** Appends the event of `Commit` to the region; seq_sig and id stay open. Its address is valid until the next one. */
export function putRecord(seq: i64, time: i64, eventHash: usize): usize {
  const text = Commit.typeLength + Commit.tagsLength;
  const size = align8(<u32>L.R_TEXT + text);
  const skeleton = skeletonOf(region);
  const record = skeleton.reserve(size);
  skeleton.len += size;
  store<u64>(record + size - 8, 0);
  store<u32>(record, size);
  store<u32>(record, L.KIND_EVENT | ((Commit.flags & L.RECORD_FLAGS) << 8) | (Commit.type << 16) | (L.FORMAT_VERSION << 24), 4);
  store<i64>(record, seq, L.R_SEQ);
  store<i64>(record, time, L.R_TIMESTAMP);
  store<u64>(record, Commit.exp, L.R_EXP);
  store<u64>(record, 0, L.R_CTL);
  store<u32>(record, State.lane, L.R_LANE);
  store<u32>(record, Commit.contentLength, L.R_CONTENT_LENGTH);
  copy32(record + L.R_HASH, Commit.hash);
  copy32(record + L.R_FROM, Commit.from);
  memory.copy(record + L.R_SIG, Commit.sig, 64);
  memory.fill(record + L.R_SEQ_SIG, 0, 64);
  copy32(record + L.R_CONTENT_HASH, Commit.contentHash);
  copy32(record + L.R_TARGET, Commit.target);
  copy32(record + L.R_SEQUENCER, SEQUENCER);
  store<u32>(record, Commit.typeLength, L.R_TYPE_LENGTH);
  store<u32>(record, Commit.tagsLength, L.R_TAGS_LENGTH);
  memory.copy(record + L.R_TEXT, Commit.typeName, Commit.typeLength);
  memory.copy(record + L.R_TEXT + Commit.typeLength, Commit.tags, Commit.tagsLength);
  contentOf(region).bytes(Commit.content, Commit.contentLength);
  hashesOf(region).bytes(eventHash, 32);
  store<u32>(region, eventsIn(region) + 1, 36);
  return record;
}
