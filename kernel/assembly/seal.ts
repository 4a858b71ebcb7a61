import { closingsIn, contentOf, eventsIn, hashesOf, seqBefore, skeletonOf, takeRegion } from './batch';
import { ctRoot, ctSize } from './ct';
import { IN } from './input';
import * as L from './layout';
import { Buf, copy32 } from './memory';
import { putReceipt, RECEIPT_ROOM } from './render';
import { CHAIN, nameEvent, nameRest, Sealed, sealEvent, sealHead } from './sealed';
import { ENCLAVE } from './state';

/** Answer space is given back when a batch needed more. */
const KEEP: usize = 1 << 18;
const RECEIPTS = changetype<Buf>(memory.data(12, 8));
/** u32 per receipt, and the end of the last */
const OFFSETS = changetype<Buf>(memory.data(12, 8));

/**
 * The sealed batch as the wrapper reads it:
 *  0 u32 events  4 u32 closings  8 i64 first seq  16 i64 timestamp  24 i64 head seq  32 u64 bundles  40 bytes32 chain
 * 72 bytes32 CT root  104 u32 skeleton address, length  112 u32 content address, length
 * 120 u32 receipts address, length  128 u32 offsets address
 */
const RESULT: usize = memory.data(136, 16);

/** Seals the oldest batch with the signatures in the input: address of the result; 0 on a wrong call, 1 if a tree head was not signed. */
export function seal(): usize {
  const signatures = IN.ptr;
  const length = IN.len;
  const region = takeRegion();
  if (!region || length != <usize>eventsIn(region) * 64) return 0;
  const records = skeletonOf(region);
  let hash = hashesOf(region).ptr;
  let signature = signatures;
  const end = records.ptr + records.len;
  for (let record = records.ptr; record < end; record += load<u32>(record)) {
    if (load<u8>(record, L.R_KIND) != L.KIND_EVENT) continue;
    if (!isSigned(record)) memory.copy(record + L.R_SEQ_SIG, signature, 64);
    nameEvent(record, hash);
    hash += 32;
    signature += 64;
  }
  nameRest();
  for (let record = records.ptr; record < end; record += load<u32>(record)) {
    if (load<u8>(record, L.R_KIND) == L.KIND_EVENT) sealEvent(record);
    else if (!sealHead(record, true)) return 1;
  }
  return result(region);
}

/** The host signed it when it was staged. */
function isSigned(record: usize): bool {
  for (let i: usize = 0; i < 64; i += 8) if (load<u64>(record + i, L.R_SEQ_SIG)) return true;
  return false;
}

/** A region whose records are complete, with the receipts of its events. */
export function result(region: usize): usize {
  RECEIPTS.trim(KEEP);
  OFFSETS.trim(KEEP);
  OFFSETS.u32(0);
  const records = skeletonOf(region);
  RECEIPTS.reserve(<usize>eventsIn(region) * RECEIPT_ROOM);
  for (let record = records.ptr; record < records.ptr + records.len; record += load<u32>(record)) {
    if (load<u8>(record, L.R_KIND) != L.KIND_EVENT) continue;
    RECEIPTS.end(putReceipt(RECEIPTS.reserve(RECEIPT_ROOM), record, ENCLAVE));
    OFFSETS.u32(<u32>RECEIPTS.len);
  }
  store<u32>(RESULT, eventsIn(region));
  store<u32>(RESULT, closingsIn(region), 4);
  store<i64>(RESULT, seqBefore(region) + 1, 8);
  store<i64>(RESULT, Sealed.timestamp, 16);
  putHead(RESULT + 24);
  putSpan(RESULT + 104, records);
  putSpan(RESULT + 112, contentOf(region));
  putSpan(RESULT + 120, RECEIPTS);
  store<u32>(RESULT, <u32>OFFSETS.ptr, 128);
  return RESULT;
}

function putSpan(at: usize, bytes: Buf): void {
  store<u32>(at, <u32>bytes.ptr);
  store<u32>(at, <u32>bytes.len, 4);
}

function putHead(at: usize): void {
  store<i64>(at, Sealed.seq);
  store<u64>(at, ctSize, 8);
  copy32(at + 16, CHAIN);
  ctRoot(at + 48);
}

const HEAD: usize = memory.data(80, 16);

/** The sealed head: i64 seq, u64 bundles, bytes32 chain, bytes32 CT root. */
export function head(): usize {
  putHead(HEAD);
  return HEAD;
}
