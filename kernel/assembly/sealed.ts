import { bundleAppend, bundleClose, ctAppend, ctLeaf, ctRoot, ctSize } from './ct';
import { be64, EMPTY_HASH } from './fixed';
import { hostSignSeq } from './host';
import * as L from './layout';
import { copy32, putText } from './memory';
import { sha256 } from './sha256';
import { sha256x4 } from './sha256-x4';
import { ENCLAVE } from './state';

/** The log as far as it has been signed: fills in what records lack at stage, and keeps what the next ones build on. */
export class Sealed {
  static seq: i64 = -1;
  /** timestamp of the last event, −1 before the Manifest */
  static timestamp: i64 = -1;
  /** time of the tree head */
  static headTime: i64 = 0;
}

export const CHAIN: usize = memory.data(32, 16);
export const MANIFEST_ID: usize = memory.data(32, 16);
export const HEAD_ROOT: usize = memory.data(32, 16);
export const HEAD_SIG: usize = memory.data(64, 16);
export const HEAD_SEQUENCER: usize = memory.data(32, 16);

/** Four pre-images H(0x14, event_hash, seq_sig) of 102 bytes, padded to two blocks each. */
const ID_PRE: usize = memory.data(128 * 4, 16);
for (let at = ID_PRE; at < ID_PRE + 512; at += 128) {
  store<u32>(at, 0x20581483);
  store<u16>(at, 0x4058, 36);
  store<u8>(at, 0x80, 102);
  store<u16>(at, bswap<u16>(102 * 8), 126);
}
const IDS: usize = memory.data(32 * 4, 16);
/** Records whose ids are still to be filled in: at most four. */
const RECORDS: usize = memory.data(4 * 4, 16);
let unnamed: u32 = 0;
const CHAIN_PRE: usize = memory.data(64, 16);

/** Fills in the id of an event record whose seq_sig is there, now or at `nameRest`: four at once cost half as much. */
export function nameEvent(record: usize, eventHash: usize): void {
  const at = ID_PRE + (<usize>unnamed << 7);
  copy32(at + 4, eventHash);
  memory.copy(at + 38, record + L.R_SEQ_SIG, 64);
  store<u32>(RECORDS + (<usize>unnamed << 2), <u32>record);
  unnamed++;
  if (unnamed < 4) return;
  unnamed = 0;
  sha256x4(ID_PRE, 128, 2, IDS);
  for (let i: usize = 0; i < 4; i++) copy32(<usize>load<u32>(RECORDS + (i << 2)) + L.R_ID, IDS + (i << 5));
}

/** No record waits for its id any more. */
export function nameRest(): void {
  for (let i: u32 = 0; i < unnamed; i++) {
    sha256(ID_PRE + (<usize>i << 7), 102, <usize>load<u32>(RECORDS + (<usize>i << 2)) + L.R_ID);
  }
  unnamed = 0;
}

/** The event of a record that has its id becomes part of the sealed log. */
export function sealEvent(record: usize): void {
  const id = record + L.R_ID;
  copy32(CHAIN_PRE, CHAIN);
  copy32(CHAIN_PRE + 32, id);
  sha256(CHAIN_PRE, 64, CHAIN);
  bundleAppend(id);
  Sealed.seq = load<i64>(record, L.R_SEQ);
  Sealed.timestamp = load<i64>(record, L.R_TIMESTAMP);
  if (!Sealed.seq) copy32(MANIFEST_ID, id);
}

/** "enc:sth:" || enclave || be64(t) || be64(ts) || r */
const HEAD_PRE: usize = memory.data(88, 16);
const HEAD_HASH: usize = memory.data(32, 16);
putText(HEAD_PRE, 'enc:sth:');

/**
 * A closing or genesis record: fills in roots and, if `sign`, the tree head's signature (else it is there). False if the
 * host did not sign.
 */
export function sealHead(record: usize, sign: bool): bool {
  if (load<u8>(record, L.R_KIND) == L.KIND_GENESIS) {
    copy32(record + L.C_ROOT, EMPTY_HASH);
  } else {
    bundleClose(record + L.C_EVENTS_ROOT);
    const leaf = record + L.C_LEAF;
    ctLeaf(record + L.C_EVENTS_ROOT, record + L.C_STATE_HASH, load<u64>(record, L.C_FIRST), load<u32>(record, L.C_SIZE), leaf);
    ctAppend(leaf, record + L.C_NODE_LIST);
    ctRoot(record + L.C_ROOT);
  }
  if (sign) {
    copy32(HEAD_PRE + 8, ENCLAVE);
    be64(HEAD_PRE + 40, load<u64>(record, L.C_TIME));
    be64(HEAD_PRE + 48, ctSize);
    copy32(HEAD_PRE + 56, record + L.C_ROOT);
    sha256(HEAD_PRE, 88, HEAD_HASH);
    if (hostSignSeq(HEAD_HASH, record + L.C_SIG) != 0) return false;
  }
  Sealed.headTime = load<i64>(record, L.C_TIME);
  copy32(HEAD_ROOT, record + L.C_ROOT);
  memory.copy(HEAD_SIG, record + L.C_SIG, 64);
  copy32(HEAD_SEQUENCER, record + L.C_SEQUENCER);
  return true;
}
