/**
 * Receipts and events as JSON, from an event record (kernel/kernel.ts) and its content; fields in the order of PROTOCOL
 * §3. Both take the address to write at and return the address behind.
 */
import { hexEncode } from './hex';
import * as L from './layout';
import { putDecimal, putText } from './memory';

/** Room that `putReceipt` needs. */
export const RECEIPT_ROOM: usize = 768;
/** Room that `putEvent` needs beside the record's length and the content's. */
export const EVENT_ROOM: usize = 1024;

export const STATUS_NONE: u32 = 0;
export const STATUS_UPDATED: u32 = 1;
export const STATUS_DELETED: u32 = 2;

// @ts-ignore: decorator
@inline
function hexField(p: usize, name: string, src: usize, n: usize): usize {
  return hexEncode(src, n, putText(p, name));
}

// @ts-ignore: decorator
@inline
function numberField(p: usize, name: string, value: u64): usize {
  return putDecimal(putText(p, name), <i64>value);
}

/** `,"lane":i,"ctl":c`, in lanes ≥ 1 only. */
function putLane(p: usize, record: usize): usize {
  const lane = load<u32>(record, L.R_LANE);
  if (!lane) return p;
  p = numberField(p, ',"lane":', lane);
  return numberField(p, ',"ctl":', load<u64>(record, L.R_CTL));
}

/** The Receipt of an event of `enclave`. */
export function putReceipt(p: usize, record: usize, enclave: usize): usize {
  p = hexField(p, '{"type":"Receipt","id":"', record + L.R_ID, 32);
  p = hexField(p, '","hash":"', record + L.R_HASH, 32);
  p = hexField(p, '","enclave":"', enclave, 32);
  p = numberField(p, '","seq":', load<u64>(record, L.R_SEQ));
  p = numberField(p, ',"timestamp":', load<u64>(record, L.R_TIMESTAMP));
  p = hexField(p, ',"sequencer":"', record + L.R_SEQUENCER, 32);
  p = hexField(p, '","seq_sig":"', record + L.R_SEQ_SIG, 64);
  store<u8>(p, 0x22);
  p = putLane(p + 1, record);
  store<u8>(p, 0x7d);
  return p + 1;
}

/** The event. `content`: its canonical JSON, or 0 if it is gone (then `null`, and `content_hash` beside it). */
export function putEvent(p: usize, record: usize, enclave: usize, content: usize, contentLen: usize, status: u32): usize {
  p = hexField(p, '{"hash":"', record + L.R_HASH, 32);
  p = hexField(p, '","enclave":"', enclave, 32);
  p = hexField(p, '","from":"', record + L.R_FROM, 32);
  p = putText(p, '","type":"');
  const typeLen = <usize>load<u16>(record, L.R_TYPE_LENGTH);
  memory.copy(p, record + L.R_TEXT, typeLen);
  p = putText(p + typeLen, '","content":');
  if (content) {
    memory.copy(p, content, contentLen);
    p = putText(p + contentLen, ',"exp":');
  } else {
    p = hexField(p, 'null,"content_hash":"', record + L.R_CONTENT_HASH, 32);
    p = putText(p, '","exp":');
  }
  p = putDecimal(p, load<i64>(record, L.R_EXP));
  const flags = <u32>load<u8>(record, L.R_FLAGS);
  if (flags & L.FLAG_TAGS) {
    const tagsLen = <usize>load<u32>(record, L.R_TAGS_LENGTH);
    p = putText(p, ',"tags":');
    memory.copy(p, record + L.R_TEXT + typeLen, tagsLen);
    p += tagsLen;
  }
  if (flags & L.FLAG_ALG) p = putText(p, flags & L.FLAG_ECDSA ? ',"alg":"ecdsa"' : ',"alg":"schnorr"');
  p = hexField(p, ',"sig":"', record + L.R_SIG, 64);
  p = numberField(p, '","timestamp":', load<u64>(record, L.R_TIMESTAMP));
  p = hexField(p, ',"sequencer":"', record + L.R_SEQUENCER, 32);
  p = numberField(p, '","seq":', load<u64>(record, L.R_SEQ));
  p = hexField(p, ',"seq_sig":"', record + L.R_SEQ_SIG, 64);
  p = hexField(p, '","id":"', record + L.R_ID, 32);
  store<u8>(p, 0x22);
  p = putLane(p + 1, record);
  if (status) p = putText(p, status == STATUS_UPDATED ? ',"status":"updated"' : ',"status":"deleted"');
  store<u8>(p, 0x7d);
  return p + 1;
}
