import type { Commit } from './commit.ts';
import { type Event, parseSequenced, type Sequenced, verifySequenced } from './event.ts';
import { type EnclaveId, type Hash32, isHex32 } from './hex.ts';
import { isObject, type Json } from './json.ts';
import type { Verifier } from './secp.ts';
import { hasOnly } from './shape.ts';

/** The sequencer's promise that a commit is durably in the log at `seq` (PROTOCOL §3). */
export interface Receipt extends Sequenced {
  readonly hash: Hash32;
  readonly enclave: EnclaveId;
}

const KEYS: ReadonlySet<string> = new Set([
  'type',
  'id',
  'hash',
  'enclave',
  'seq',
  'timestamp',
  'sequencer',
  'seq_sig',
  'lane',
  'ctl',
]);

/** The receipt in a JSON value, or null. */
export function parseReceipt(value: Json): Receipt | null {
  if (!isObject(value) || !hasOnly(value, KEYS) || value.get('type') !== 'Receipt') return null;
  const sequenced = parseSequenced(value);
  const hash = value.get('hash');
  const enclave = value.get('enclave');
  if (sequenced === null || !isHex32<Hash32>(hash) || !isHex32<EnclaveId>(enclave)) return null;
  return { ...sequenced, hash, enclave };
}

export function receiptOfEvent(event: Event): Receipt {
  const { id, hash, enclave, seq, timestamp, sequencer, seq_sig, lane, ctl } = event;
  const base = { id, hash, enclave, seq, timestamp, sequencer, seq_sig };
  return lane === undefined || ctl === undefined ? base : { ...base, lane, ctl };
}

/**
 * null if this is a receipt for exactly this commit: same hash and enclave, id and signature of the sequencer it names.
 * Whether that is the enclave's sequencer is the caller's question.
 */
export function verifyReceipt(
  receipt: Receipt,
  commit: Commit,
  verifier?: Verifier,
): 'invalid_hash' | 'invalid_signature' | 'expired' | null {
  if (receipt.hash !== commit.hash || receipt.enclave !== commit.enclave) return 'invalid_hash';
  if (receipt.timestamp >= commit.exp) return 'expired';
  return verifySequenced(commit, receipt, verifier);
}

export interface ReceiptText {
  readonly id: string;
  readonly hash: string;
  readonly enclave: string;
  readonly seq: number;
  readonly timestamp: number;
  readonly sequencer: string;
  readonly seqSig: string;
  /** 0 is the control lane: neither `lane` nor `ctl` is written */
  readonly lane: number;
  readonly ctl: number;
}

export function receiptTextJson(r: ReceiptText): string {
  const lane = r.lane === 0 ? '' : `,"lane":${r.lane},"ctl":${r.ctl}`;
  return (
    `{"type":"Receipt","id":"${r.id}","hash":"${r.hash}","enclave":"${r.enclave}","seq":${r.seq},` +
    `"timestamp":${r.timestamp},"sequencer":"${r.sequencer}","seq_sig":"${r.seqSig}"${lane}}`
  );
}

export function receiptJson(receipt: Receipt): string {
  return receiptTextJson({ ...receipt, seqSig: receipt.seq_sig, lane: receipt.lane ?? 0, ctl: receipt.ctl ?? 0 });
}
