import { bundleAppend, bundleClose, ctAppend, ctLeaf, ctRoot, ctSize } from './ct';
import { be64, EMPTY_HASH } from './fixed';
import { hostSignSeq } from './host';
import * as L from './layout';
import { copy32, putText } from './memory';
import { sha256 } from './sha256';
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

/** H(0x14, event_hash, seq_sig) */
const ID_PRE: usize = memory.data(112, 16);
store<u32>(ID_PRE, 0x20581483);
store<u16>(ID_PRE, 0x4058, 36);
const CHAIN_PRE: usize = memory.data(64, 16);

/** An event record whose seq_sig is there: fills in the id. */
export function sealEvent(record: usize, eventHash: usize): void {
  copy32(ID_PRE + 4, eventHash);
  copy32(ID_PRE + 38, record + L.R_SEQ_SIG);
  copy32(ID_PRE + 70, record + L.R_SEQ_SIG + 32);
  const id = record + L.R_ID;
  sha256(ID_PRE, 102, id);
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
