import { apply, applyManifest, DETAIL, statusRefusal } from './apply';
import {
  clearRegion, closeRegion, FOLDED, putClosing, putGenesis, putRecord, region, skeletonOf, stagedBatches, useFolded,
} from './batch';
import { cborBytes32, cborInt, cborText, hashHead } from './cbor';
import { Commit, commitFromIc, commitFromRecord } from './commit';
import { dedupeFind } from './dedupe';
import { IN } from './input';
import { PRE, putTarget, typeNumber } from './inspect-commit';
import { parse, root, Tape } from './json';
import { writeCbor } from './json-write';
import * as L from './layout';
import { copy32, same, same32 } from './memory';
import { result } from './seal';
import { nameEvent, nameRest, sealEvent, sealHead } from './sealed';
import { sha256 } from './sha256';
import { eventHash, isComplete, recordAccepted } from './stage';
import {
  beginChanges, ENCLAVE, MIGRATED, NEW_SEQUENCER, SEQUENCER, State, takeOver, undoChanges,
} from './state';

/**
 * Folding events that have been signed already: those of a snapshot (`fold`), and stored records (`replay`), which are
 * folded and compared with what comes out, byte for byte.
 */

/** Bytes that `fold` gets with the IC: bytes32 sequencer, bytes64 seq_sig, bytes64 extra; they stand before it. */
export const FOLD_PREFIX: usize = 160;
const SEQUENCER_AT: usize = 0;
const SEQ_SIG_AT: usize = 32;
const EXTRA_AT: usize = 96;

const ZERO_SIG: usize = memory.data(64, 16);

/** −1: batches are staged. */
const NOT_IDLE: i32 = -1;

function idle(): bool {
  return region == 0 && stagedBatches == 0;
}

function enterFolded(): void {
  if (!skeletonOf(FOLDED).len) clearRegion(FOLDED);
  useFolded();
}

/** Folds the IC behind the prefix in the input. `extraLength`: 0, 32 (an erased Update's target) or 64 (a tree head's signature). */
export function fold(timestamp: f64, extraLength: u32): i32 {
  if (!idle()) return NOT_IDLE;
  const at = IN.ptr;
  const ic = at + FOLD_PREFIX;
  const code = <i32>load<u16>(ic, L.IC_ERROR);
  if (code) return code;
  commitFromIc(ic);
  const manifest = State.seq < 0 && Commit.type == L.T_MANIFEST;
  if (manifest && !State.provisioned && !(Commit.flags & L.FLAG_ENCLAVE_OK)) return L.E_INVALID_MANIFEST;
  if (!(Commit.flags & L.FLAG_HASH_OK)) return L.E_INVALID_HASH;
  if (!same32(ic + L.IC_ENCLAVE, ENCLAVE)) return L.E_ENCLAVE_NOT_FOUND;
  if (Commit.type == L.T_UPDATE && Commit.flags & L.FLAG_ERASED && extraLength == 32) {
    copy32(Commit.target, at + EXTRA_AT);
    Commit.flags |= L.FLAG_TARGET;
  }
  enterFolded();
  const result = foldEvent(<i64>timestamp, at + SEQUENCER_AT, at + SEQ_SIG_AT, extraLength == 64 ? at + EXTRA_AT : ZERO_SIG);
  closeRegion();
  return result;
}

function takesOver(sequencer: usize): bool {
  return State.status == MIGRATED && same32(sequencer, NEW_SEQUENCER);
}

/** Folds `Commit` into the region. 0 or an error number. */
function foldEvent(time: i64, sequencer: usize, seqSig: usize, headSig: usize): i32 {
  if (State.seq < 0 && Commit.type != L.T_MANIFEST) return L.E_ENCLAVE_NOT_FOUND;
  if (time < State.timestamp || isComplete()) return L.E_INVALID_SNAPSHOT;
  if (<i64>Commit.exp <= time) return L.E_EXPIRED;
  if (State.seq >= 0 && !takesOver(sequencer) && !same32(sequencer, SEQUENCER)) return L.E_INVALID_SNAPSHOT;
  if (dedupeFind(Commit.hash) >= 0) return L.E_INVALID_SNAPSHOT;
  DETAIL.clear();
  beginChanges();
  const refused = State.seq < 0 ? foldManifest(sequencer) : foldLater(sequencer);
  if (refused) {
    undoChanges();
    return refused;
  }
  const hash = eventHash(time);
  const record = putRecord(State.seq + 1, time, hash);
  memory.copy(record + L.R_SEQ_SIG, seqSig, 64);
  recordAccepted(time);
  nameEvent(record, hash);
  nameRest();
  sealEvent(record);
  if (!State.seq) {
    const genesis = putGenesis(time);
    memory.copy(genesis + L.C_SIG, headSig, 64);
    sealHead(genesis, false);
  }
  return 0;
}

function foldManifest(sequencer: usize): i32 {
  copy32(SEQUENCER, sequencer);
  return applyManifest(sequencer);
}

function foldLater(sequencer: usize): i32 {
  if (takesOver(sequencer)) takeOver();
  if (Commit.type == L.T_MANIFEST) return L.E_ENCLAVE_EXISTS;
  const ended = statusRefusal(State.status, Commit.type);
  return ended ? ended : apply();
}

/** Folds a closing at `t`; the tree head's signature is in the input. 0 or an error number. */
export function foldClosing(t: f64): i32 {
  if (!idle()) return NOT_IDLE;
  enterFolded();
  const result = foldBundle(<i64>t, IN.ptr);
  closeRegion();
  return result;
}

function foldBundle(t: i64, headSig: usize): i32 {
  if (!State.bundleCount || t < State.timestamp) return L.E_INVALID_SNAPSHOT;
  const record = putClosing(t);
  memory.copy(record + L.C_SIG, headSig, 64);
  sealHead(record, false);
  return 0;
}

/** The records of all that was folded since the last call: address as of `seal`. */
export function takeFolded(): usize {
  if (!skeletonOf(FOLDED).len) clearRegion(FOLDED);
  return result(FOLDED);
}

/** After `takeFolded`, when its bytes have been copied. */
export function dropFolded(): void {
  clearRegion(FOLDED);
}

// ---- replay

const TAPE = changetype<Tape>(memory.data(40, 8));
const TAGS_TAPE = changetype<Tape>(memory.data(40, 8));
const TARGET: usize = memory.data(64, 16);
const HASH: usize = memory.data(32, 16);
const CONTENT_HASH: usize = memory.data(32, 16);

export const REPLAY_SHAPE: i32 = -2;
export const REPLAY_DIFFERS: i32 = -3;

/** seq at which the last replay failed, −1 if it was not at an event. */
export let failedSeq: i64 = -1;

/**
 * Replays the records in the input, whose contents (`contentLength` bytes) stand behind them. 0, an error number (the
 * rules refuse `failedSeq`), or a negative reason.
 */
export function replay(skeletonLength: u32, contentLength: u32): i32 {
  if (!idle()) return NOT_IDLE;
  failedSeq = -1;
  clearRegion(FOLDED);
  useFolded();
  const result = replayAll(IN.ptr, skeletonLength, contentLength);
  closeRegion();
  clearRegion(FOLDED);
  PRE.trim(65536);
  TAPE.trim();
  TAGS_TAPE.trim();
  return result;
}

function replayAll(records: usize, length: usize, contentLength: usize): i32 {
  const end = records + length;
  let content = end;
  const contentEnd = end + contentLength;
  let record = records;
  while (record < end) {
    if (end - record < 8) return REPLAY_SHAPE;
    const size = <usize>load<u32>(record);
    if (size < 272 || size & 7 || size > end - record) return REPLAY_SHAPE;
    const from = skeletonOf(FOLDED).len;
    const kind = <u32>load<u8>(record, L.R_KIND);
    if (kind == L.KIND_EVENT) {
      failedSeq = load<i64>(record, L.R_SEQ);
      if (size < L.R_TEXT) return REPLAY_SHAPE;
      const text = L.R_TEXT + <usize>load<u16>(record, L.R_TYPE_LENGTH) + <usize>load<u32>(record, L.R_TAGS_LENGTH);
      if (text > size) return REPLAY_SHAPE;
      const bytes = <usize>load<u32>(record, L.R_CONTENT_LENGTH);
      if (bytes > contentEnd - content) return REPLAY_SHAPE;
      const next = record + size;
      const hasGenesis = end - next >= 272 && load<u8>(next, L.R_KIND) == L.KIND_GENESIS;
      const refused = replayEvent(record, content, hasGenesis ? next + L.C_SIG : ZERO_SIG);
      if (refused) return refused;
      content += bytes;
    } else if (kind == L.KIND_CLOSING) {
      const refused = foldBundle(load<i64>(record, L.C_TIME), record + L.C_SIG);
      if (refused) return refused;
    } else {
      return REPLAY_SHAPE;
    }
    // What was made may be two records: a Manifest and its tree head.
    const made = skeletonOf(FOLDED);
    const n = made.len - from;
    if (n > end - record || !same(made.ptr + from, record, n)) return REPLAY_DIFFERS;
    record += n;
  }
  return content == contentEnd ? 0 : REPLAY_SHAPE;
}

/** Folds a stored event with its hash, target and flags as computed from what is stored. */
function replayEvent(record: usize, content: usize, headSig: usize): i32 {
  commitFromRecord(record, content);
  if (typeNumber(Commit.typeName, Commit.typeLength) != Commit.type) return REPLAY_DIFFERS;
  if (!Commit.contentLength) {
    // A record whose content has been erased in the log says so by its length alone.
    Commit.flags |= L.FLAG_ERASED;
    store<u8>(record, Commit.flags, L.R_FLAGS);
  } else {
    Commit.flags &= ~(L.FLAG_ERASED | L.FLAG_TARGET);
  }
  if (Commit.tagsLength) Commit.flags |= L.FLAG_TAGS;
  else Commit.flags &= ~L.FLAG_TAGS;
  if (!hashCommit()) return REPLAY_SHAPE;
  return foldEvent(load<i64>(record, L.R_TIMESTAMP), record + L.R_SEQUENCER, record + L.R_SEQ_SIG, headSig);
}

/** H(0x10, enclave, from, type, content_hash, exp, tags) of `Commit`, over its content and tags as they stand there. */
function hashCommit(): bool {
  PRE.clear();
  const at = PRE.reserve((<usize>Commit.contentLength + Commit.tagsLength) * 5 + 4096);
  let tags: usize = 0;
  if (Commit.tagsLength) {
    if (!parse(TAGS_TAPE, Commit.tags, Commit.tagsLength, 0)) return false;
    tags = root(TAGS_TAPE);
  }
  if (!(Commit.flags & L.FLAG_ERASED)) {
    if (!parse(TAPE, Commit.content, Commit.contentLength, 0)) return false;
    sha256(at, writeCbor(root(TAPE), at) - at, CONTENT_HASH);
    Commit.contentHash = CONTENT_HASH;
    if (putTarget(Commit.type, Commit.from, root(TAPE), tags, TARGET)) Commit.flags |= L.FLAG_TARGET;
    Commit.target = TARGET;
  }
  let p = hashHead(at, 0x10, 6);
  p = cborBytes32(p, ENCLAVE);
  p = cborBytes32(p, Commit.from);
  p = cborText(p, Commit.typeName, Commit.typeLength);
  p = cborBytes32(p, Commit.contentHash);
  p = cborInt(p, <i64>Commit.exp);
  if (tags) {
    p = writeCbor(tags, p);
  } else {
    store<u8>(p, 0x80);
    p++;
  }
  sha256(at, p - at, HASH);
  Commit.hash = HASH;
  return true;
}
