import { region, stagedBatches } from './batch';
import { ctExport, ctLoad, ctRoot, ctSize } from './ct';
import { dedupeAdd } from './dedupe';
import { align8 } from './fixed';
import { freshOutput, IN } from './input';
import * as L from './layout';
import { compileManifest } from './manifest';
import { exportMarks, markCount, setMark } from './marks';
import { alloc, Buf, copy32, release, same, same32 } from './memory';
import { recentExport } from './recents';
import { Rules } from './rules';
import { CHAIN, HEAD_ROOT, HEAD_SEQUENCER, HEAD_SIG, MANIFEST_ID, Sealed } from './sealed';
import { smtExport, smtLeaves, smtLoad } from './smt';
import { ENCLAVE, NEW_SEQUENCER, refreshGates, SEQUENCER, State } from './state';

/** The canonical state at a bundle boundary, to bytes and back (layout: kernel/kernel.ts, exportBase). */
const HEAD: usize = 352;
const LEAF: usize = 56;
const MARK: usize = 48;
const MAGIC: u32 = 0x4b434e45;

function baseSize(): usize {
  return HEAD + align8(<u32>Rules.contentLength) + <usize>smtLeaves() * LEAF + <usize>markCount() * MARK + <usize>popcnt<u64>(ctSize) * 32;
}

/** Into the output. False unless the enclave is at a bundle boundary with nothing staged. */
export function exportBase(): bool {
  if (State.seq < 0 || State.bundleCount || region || stagedBatches) return false;
  const out = freshOutput();
  const size = baseSize();
  writeBase(out.reserve(size));
  out.len = size;
  return true;
}

function writeBase(at: usize): void {
  memory.fill(at, 0, HEAD);
  store<u32>(at, MAGIC);
  store<u16>(at, L.FORMAT_VERSION, 4);
  store<u16>(at, L.RULES_VERSION, 6);
  copy32(at + 8, ENCLAVE);
  copy32(at + 40, SEQUENCER);
  copy32(at + 72, NEW_SEQUENCER);
  store<u32>(at, State.lane, 104);
  store<u8>(at, State.status, 108);
  store<i64>(at, Sealed.seq, 112);
  store<i64>(at, Sealed.timestamp, 120);
  copy32(at + 128, CHAIN);
  copy32(at + 160, MANIFEST_ID);
  store<u64>(at, ctSize, 192);
  store<i64>(at, Sealed.headTime, 200);
  copy32(at + 208, HEAD_ROOT);
  memory.copy(at + 240, HEAD_SIG, 64);
  copy32(at + 304, HEAD_SEQUENCER);
  store<u32>(at, <u32>Rules.contentLength, 336);
  store<u32>(at, smtLeaves(), 340);
  store<u32>(at, markCount(), 344);
  store<u32>(at, <u32>popcnt<u64>(ctSize), 348);
  let p = at + HEAD;
  const padded = align8(<u32>Rules.contentLength);
  if (padded) store<u64>(p + padded - 8, 0);
  memory.copy(p, Rules.content, Rules.contentLength);
  ctExport(exportMarks(smtExport(p + padded)));
}

const DETAIL = changetype<Buf>(memory.data(12, 8));
const ROOT: usize = memory.data(32, 16);

/**
 * Puts the state in the input back into an instance just created. False if the bytes are not one that `exportBase` has
 * made for this enclave; the instance is then good for nothing.
 */
export function loadBase(length: usize): bool {
  const at = IN.ptr;
  if (length < HEAD || load<u32>(at) != MAGIC) return false;
  if (load<u16>(at, 4) != L.FORMAT_VERSION || load<u16>(at, 6) != L.RULES_VERSION) return false;
  if (!same32(at + 8, ENCLAVE) || load<u32>(at, 104) != State.lane || load<u8>(at, 108) > 3) return false;
  const manifestLength = load<u32>(at, 336);
  const leaves = load<u32>(at, 340);
  const marks = load<u32>(at, 344);
  const closings = load<u64>(at, 192);
  if (closings == 0 || closings >> 53 || load<u32>(at, 348) != <u32>popcnt<u64>(closings)) return false;
  const expected = <u64>HEAD + ((<u64>manifestLength + 7) & ~7) + <u64>leaves * LEAF + <u64>marks * MARK + popcnt<u64>(closings) * 32;
  if (expected != length) return false;

  if (!compileManifest(at + HEAD, manifestLength, 0, DETAIL)) return false;
  let p = at + HEAD + align8(manifestLength);
  if (!smtLoad(p, leaves)) return false;
  p += <usize>leaves * LEAF;
  for (let i: u32 = 0; i < marks; i++) {
    setMark(p, load<u32>(p, 32), load<i64>(p, 40));
    p += MARK;
  }
  if (markCount() != marks) return false;
  ctLoad(p, closings);
  ctRoot(ROOT);
  if (!same32(ROOT, at + 208)) return false;
  copy32(SEQUENCER, at + 40);
  copy32(NEW_SEQUENCER, at + 72);
  copy32(CHAIN, at + 128);
  copy32(MANIFEST_ID, at + 160);
  copy32(HEAD_ROOT, at + 208);
  memory.copy(HEAD_SIG, at + 240, 64);
  copy32(HEAD_SEQUENCER, at + 304);
  State.status = load<u8>(at, 108);
  State.closed = closings;
  State.seq = Sealed.seq = load<i64>(at, 112);
  State.timestamp = Sealed.timestamp = load<i64>(at, 120);
  Sealed.headTime = load<i64>(at, 200);
  refreshGates();
  return isCanonical(at, length);
}

/** Does what was loaded give the same bytes again? */
function isCanonical(at: usize, length: usize): bool {
  const copy = alloc(length);
  writeBase(copy);
  const equal = same(copy, at, length);
  release(copy);
  return equal;
}

/** Remembers the rows in the input. False if they are not whole rows. */
export function loadRecents(length: usize): bool {
  if (length % 48) return false;
  const now = <u64>State.timestamp;
  for (let row = IN.ptr; row < IN.ptr + length; row += 48) {
    if (load<u64>(row, 32) > now) dedupeAdd(row, load<u64>(row, 32), load<i64>(row, 40), now);
  }
  return true;
}

/** Rows of the accepted commits with seq ≥ fromSeq that have not expired at the head, by seq; into the output. */
export function exportRecents(fromSeq: f64): void {
  recentExport(<i64>fromSeq, Sealed.seq, <u64>max<i64>(Sealed.timestamp, 0));
}
