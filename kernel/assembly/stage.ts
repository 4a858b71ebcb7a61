import { apply, applyManifest, DETAIL, statusRefusal } from './apply';
import { closeRegion, hashesOf, openRegion, putClosing, putGenesis, putRecord, region } from './batch';
import { cborBytes32, cborInt } from './cbor';
import { Commit, commitFromIc } from './commit';
import { dedupeAdd, dedupeFind } from './dedupe';
import { hostSignSeq, hostVerify } from './host';
import { IN } from './input';
import * as L from './layout';
import { forgetManifest } from './manifest';
import { same32 } from './memory';
import { recentAdd } from './recents';
import { Rules } from './rules';
import { Sealed } from './sealed';
import { sha256 } from './sha256';
import {
  ACTIVE, beginChanges, CREATOR, ENCLAVE, keepChanges, MIGRATED, NEW_SEQUENCER, OWN_KEY, SEQUENCER, State, takeOver, undoChanges,
} from './state';

const STAGE_ADMIN: u32 = 1;
const STAGE_FULL: u32 = 2;
const STAGE_VERIFIED: u32 = 4;
const STAGE_FORGED: u32 = 8;

const DUPLICATE: i32 = -1;
/** No batch is open. */
const WRONG_CALL: i32 = -2;

/** T of the open batch. */
let batchTime: i64 = 0;
/** seq of what was staged or folded last, or of the original of a duplicate */
export let lastSeq: i64 = -1;

/** Starts a batch at wall time `now`; false if one is open or too many wait. Closes a bundle that is due. */
export function begin(now: f64): bool {
  if (!openRegion()) return false;
  batchTime = max<i64>(<i64>now, State.timestamp);
  if (State.bundleCount && batchTime >= State.bundleTime + Rules.timeout) closeBundle();
  return true;
}

/** Closes the open bundle; false if it is empty or not ours to close. Only within a batch. */
export function closeBundle(): bool {
  if (!State.bundleCount || !sequences()) return false;
  putClosing(batchTime);
  return true;
}

/** Ends the batch: address of the event hashes to sign, and their number by `endedCount`; 0 if no batch is open. */
export function end(): usize {
  const ended = closeRegion();
  if (!ended) return 0;
  endedHashes = hashesOf(ended).len;
  return endedHashes ? hashesOf(ended).ptr : ended;
}

let endedHashes: usize = 0;

/** Bytes of event hashes of the batch that was ended last. */
export function endedLength(): usize {
  return endedHashes;
}

function takesOver(key: usize): bool {
  return State.status == MIGRATED && same32(key, NEW_SEQUENCER);
}

/** Does the key that signs here belong to the next event? */
export function sequences(): bool {
  return State.keyHeld && (State.seq < 0 || same32(OWN_KEY, SEQUENCER) || takesOver(OWN_KEY));
}

/** Stages the IC in the input: ACCEPTED, DUPLICATE or an error number. */
export function stage(flags: u32): i32 {
  if (!region) return WRONG_CALL;
  const ic = IN.ptr;
  DETAIL.clear();
  const code = <i32>load<u16>(ic, L.IC_ERROR);
  if (code) return code;
  commitFromIc(ic);
  const early = checkCommit(ic, flags);
  if (early) return early;
  const original = dedupeFind(Commit.hash);
  if (original >= 0) {
    lastSeq = original;
    return DUPLICATE;
  }
  const refused = judge(flags);
  if (refused) return refused;
  if (State.seq < 0) {
    const invalid = found(flags);
    if (invalid) return invalid;
  } else {
    beginChanges();
    if (takesOver(OWN_KEY)) takeOver();
    const error = apply();
    if (error) {
      undoChanges();
      return error;
    }
  }
  return accept();
}

/** The checks of PROTOCOL §3 up to the duplicate. */
function checkCommit(ic: usize, flags: u32): i32 {
  if (!same32(ic + L.IC_ENCLAVE, ENCLAVE)) return L.E_ENCLAVE_NOT_FOUND;
  if (State.seq < 0 && Commit.type != L.T_MANIFEST) return L.E_ENCLAVE_NOT_FOUND;
  if (<i64>Commit.exp <= batchTime) return L.E_EXPIRED;
  if (<i64>Commit.exp > batchTime + State.window) return L.E_EXP_TOO_FAR;
  if (!(Commit.flags & L.FLAG_HASH_OK)) return L.E_INVALID_HASH;
  if (flags & STAGE_VERIFIED && !(flags & STAGE_FORGED)) return 0;
  if (flags & STAGE_FORGED) return L.E_INVALID_SIGNATURE;
  const alg = Commit.flags & L.FLAG_ECDSA ? 1 : 0;
  return hostVerify(alg, Commit.from, Commit.hash, Commit.sig) ? 0 : L.E_INVALID_SIGNATURE;
}

/** May this kernel sequence at all, has the enclave ended, is there room? */
function judge(flags: u32): i32 {
  if (!sequences()) return L.E_READ_ONLY;
  const ended = statusRefusal(takesOver(OWN_KEY) ? ACTIVE : State.status, Commit.type);
  if (ended) return ended;
  if (!(flags & STAGE_FULL)) return 0;
  const type = Commit.type;
  const fits = type == L.T_DELETE || type == L.T_REVOKE || (type >= L.T_PAUSE && type <= L.T_MIGRATE);
  return fits ? 0 : L.E_TOO_LARGE;
}

/** The Manifest of a new enclave. */
function found(flags: u32): i32 {
  if (!State.provisioned && !(Commit.flags & L.FLAG_ENCLAVE_OK)) {
    DETAIL.text('"path":"/enclave"');
    return L.E_INVALID_MANIFEST;
  }
  beginChanges();
  memory.copy(SEQUENCER, OWN_KEY, 32);
  const invalid = applyManifest(OWN_KEY);
  if (invalid) {
    undoChanges();
    return invalid;
  }
  if (State.provisioned) {
    const allowed = State.hasCreator ? same32(CREATOR, Commit.from) : (flags & STAGE_ADMIN) != 0;
    if (!allowed) {
      undoChanges();
      forgetManifest();
      return L.E_FORBIDDEN;
    }
  }
  return 0;
}

/** H(0x11, hash, sig, sequencer, seq, timestamp) */
const EVENT_PRE: usize = memory.data(160, 16);
store<u32>(EVENT_PRE, 0x20581186);
store<u16>(EVENT_PRE, 0x4058, 36);
const EVENT_HASH: usize = memory.data(32, 16);
const SEQ_SIG: usize = memory.data(64, 16);

/** Event hash of `Commit` at the next seq, under the key of SEQUENCER. */
export function eventHash(time: i64): usize {
  memory.copy(EVENT_PRE + 4, Commit.hash, 32);
  memory.copy(EVENT_PRE + 38, Commit.sig, 64);
  let p = cborBytes32(EVENT_PRE + 102, SEQUENCER);
  p = cborInt(p, State.seq + 1);
  p = cborInt(p, time);
  sha256(EVENT_PRE, p - EVENT_PRE, EVENT_HASH);
  return EVENT_HASH;
}

/** What was applied becomes the next event, unless the host refuses to sign it. */
function accept(): i32 {
  const hash = eventHash(batchTime);
  const signed = hostSignSeq(hash, SEQ_SIG);
  if (signed < 0) {
    const first = State.seq < 0;
    undoChanges();
    if (first) forgetManifest();
    return L.E_UNAVAILABLE;
  }
  const record = putRecord(State.seq + 1, batchTime, hash);
  if (signed == 0) memory.copy(record + L.R_SEQ_SIG, SEQ_SIG, 64);
  recordAccepted(batchTime);
  if (!State.seq) putGenesis(batchTime);
  if (isComplete()) putClosing(batchTime);
  return 0;
}

/** The staged state moves on by the event that was just recorded. */
export function recordAccepted(time: i64): void {
  const seq = State.seq + 1;
  keepChanges(seq);
  dedupeAdd(Commit.hash, Commit.exp, seq, <u64>max<i64>(Sealed.timestamp, 0));
  recentAdd(Commit.hash, Commit.exp, seq);
  if (!State.bundleCount) {
    State.bundleFirst = seq;
    State.bundleTime = time;
  }
  State.bundleCount++;
  State.bundleEnds = Commit.type == L.T_TERMINATE || Commit.type == L.T_MIGRATE;
  State.seq = seq;
  State.timestamp = time;
  lastSeq = seq;
}

/** Does the open bundle hold all it may? */
export function isComplete(): bool {
  return State.bundleCount != 0 && (State.bundleCount == Rules.size || State.bundleEnds);
}

/** Is a batch open? */
export function isOpen(): bool {
  return region != 0;
}
