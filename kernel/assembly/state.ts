import { hasState, TRAIT } from './columns';
import { isZero32, value32, ZERO32 } from './fixed';
import { enclaveStatusKey, gateKey, rbacKey, statusKey } from './keys';
import { setMark } from './marks';
import { Buf, copy32, zero32 } from './memory';
import { MARKED, Rules } from './rules';
import { smtGet, smtRemove, smtSet } from './smt';

export const ACTIVE: u32 = 0;
export const PAUSED: u32 = 1;
export const TERMINATED: u32 = 2;
export const MIGRATED: u32 = 3;

/** The enclave as staged. What `seal` adds (ids, chain, roots) is in `sealed.ts`. */
export class State {
  static lane: u32 = 0;
  /** a key is held here, and it is the one whose events come next */
  static keyHeld: bool = false;
  static provisioned: bool = false;
  static hasCreator: bool = false;
  /** ms */
  static window: i64 = 0;

  static seq: i64 = -1;
  static timestamp: i64 = -1;
  static status: u32 = ACTIVE;
  /** the open bundle: seq and timestamp of its first event, number of events */
  static bundleFirst: i64 = 0;
  static bundleTime: i64 = 0;
  static bundleCount: u32 = 0;
  /** its last event is one that nothing follows */
  static bundleEnds: bool = false;
  /** closed bundles */
  static closed: i64 = 0;
}

export const ENCLAVE: usize = memory.data(32, 16);
/** the key held here (if `keyHeld`) */
export const OWN_KEY: usize = memory.data(32, 16);
export const CREATOR: usize = memory.data(32, 16);
/** the key whose events come next, or, while migrated, that signed the Migrate */
export const SEQUENCER: usize = memory.data(32, 16);
/** what Migrate named, while migrated; else zero */
export const NEW_SEQUENCER: usize = memory.data(32, 16);

// ---- changes with undo: one event's changes are taken back as long as it has not been accepted

/** 64 bytes each: key21 (24)  24 u32 had a value  32 value32 */
const UNDO = changetype<Buf>(memory.data(12, 8));
/** Columns that were lost, 40 bytes each: identity32, u32 column, u32 zero. */
const LOST = changetype<Buf>(memory.data(12, 8));
let gatesChanged: bool = false;
let statusBefore: u32 = 0;
const SEQUENCERS_BEFORE: usize = memory.data(64, 16);

/** Before an event is applied. */
export function beginChanges(): void {
  UNDO.clear();
  LOST.clear();
  gatesChanged = false;
  statusBefore = State.status;
  copy32(SEQUENCERS_BEFORE, SEQUENCER);
  copy32(SEQUENCERS_BEFORE + 32, NEW_SEQUENCER);
}

/** The event was refused: everything is as at `beginChanges`. */
export function undoChanges(): void {
  while (UNDO.len) {
    UNDO.len -= 64;
    const entry = UNDO.ptr + UNDO.len;
    if (load<u32>(entry, 24)) smtSet(entry, entry + 32);
    else smtRemove(entry);
  }
  LOST.clear();
  if (gatesChanged) refreshGates();
  State.status = statusBefore;
  copy32(SEQUENCER, SEQUENCERS_BEFORE);
  copy32(NEW_SEQUENCER, SEQUENCERS_BEFORE + 32);
  UNDO.trim(65536);
}

/** The event was accepted at `seq`. */
export function keepChanges(seq: i64): void {
  for (let at: usize = 0; at < LOST.len; at += 40) setMark(LOST.ptr + at, load<u32>(LOST.ptr + at, 32), seq);
  LOST.clear();
  UNDO.trim(65536);
}

/** What was lost so far is not remembered (the Manifest's own members never held anything before). */
export function dropLost(): void {
  LOST.clear();
}

/** Sets a leaf, or removes it (`value` 0). */
export function setLeaf(key: usize, value: usize): void {
  const before = smtGet(key);
  if (!before && !value) return;
  const entry = UNDO.reserve(64);
  UNDO.len += 64;
  memory.copy(entry, key, 21);
  store<u32>(entry, before ? 1 : 0, 24);
  if (before) copy32(entry + 32, before);
  if (value) smtSet(key, value);
  else smtRemove(key);
}

const KEY: usize = memory.data(40, 8);
const VALUE: usize = memory.data(32, 16);

/** Bitmask of an identity, 0 without a leaf. */
export function bitsOf(identity: usize): u32 {
  rbacKey(identity, KEY);
  const leaf = smtGet(KEY);
  return leaf ? bswap<u32>(load<u32>(leaf, 28)) : 0;
}

/** Writes a bitmask, and notes the columns that are lost with it. */
export function setBits(identity: usize, bits: u32): void {
  rbacKey(identity, KEY);
  const leaf = smtGet(KEY);
  const before = leaf ? bswap<u32>(load<u32>(leaf, 28)) : 0;
  if ((before ^ bits) & 0xff && hasState(MARKED, before & 0xff)) noteLost(identity, before & 0xff);
  let lost = before & ~bits & load<u32>(MARKED, 32);
  while (lost) {
    const bit = ctz<u32>(lost);
    noteLost(identity, TRAIT + bit - 8);
    lost &= lost - 1;
  }
  value32(VALUE, bits);
  setLeaf(KEY, bits ? VALUE : 0);
}

function noteLost(identity: usize, column: u32): void {
  const entry = LOST.reserve(40);
  LOST.len += 40;
  copy32(entry, identity);
  store<u64>(entry, column, 32);
}

export function isGateOpen(gate: u32): bool {
  return <bool>load<u8>(Rules.gates + <usize>gate * 56, 40);
}

export function setGate(gate: u32, open: bool): void {
  const at = Rules.gates + <usize>gate * 56;
  gateKey(<usize>load<u32>(at, 44), load<u32>(at, 48), KEY);
  value32(VALUE, open ? 1 : 0);
  setLeaf(KEY, VALUE);
  store<u8>(at, open, 40);
  gatesChanged = true;
}

/** Reads the gates back from the tree. */
export function refreshGates(): void {
  for (let i: u32 = 0; i < Rules.gateCount; i++) {
    const at = Rules.gates + <usize>i * 56;
    gateKey(<usize>load<u32>(at, 44), load<u32>(at, 48), KEY);
    const leaf = smtGet(KEY);
    store<u8>(at, leaf ? <u32>(load<u8>(leaf, 31) == 1) : <u32>load<u8>(at, 41), 40);
  }
}

export function setStatus(status: u32): void {
  enclaveStatusKey(KEY);
  value32(VALUE, status);
  setLeaf(KEY, status ? VALUE : 0);
  State.status = status;
}

/** Commit hash of an event's last Update, 32 zero bytes if it is deleted, 0 if there is neither. */
export function eventStatus(id: usize): usize {
  statusKey(id, KEY);
  return smtGet(KEY);
}

export function isDeleted(id: usize): bool {
  const status = eventStatus(id);
  return status != 0 && isZero32(status);
}

/** `hash`: commit hash of the Update, or 0 for Deleted. */
export function setEventStatus(id: usize, hash: usize): void {
  statusKey(id, KEY);
  setLeaf(KEY, hash ? hash : ZERO32);
}

/** The key that Migrate named takes over: the enclave is active again under it. */
export function takeOver(): void {
  setStatus(ACTIVE);
  copy32(SEQUENCER, NEW_SEQUENCER);
  zero32(NEW_SEQUENCER);
}
