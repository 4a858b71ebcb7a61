/**
 * What an instance of enc-core.wasm exports to run one enclave (kernel/assembly/index.ts). Numbers that may exceed 32 bits
 * cross as f64 (they are ≤ 2^53−1); booleans are 0 and 1. Bytes go in through `input(length)`, which says where to put
 * them; a call that takes several runs of bytes takes them one behind the other. Bytes come out as the output (`outPtr`,
 * `outLen`) or at the address that a call returns, and are good until the next call.
 */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  /** Variables as in a new instance (build-reset.ts); the memory is the host's to put back. */
  reset(): void;
  input(length: number): number;
  outPtr(): number;
  outLen(): number;
  /** Detail of the last error: ASCII or UTF-8 text. */
  detailPtr(): number;
  detailLen(): number;

  /** input: enclave, sequencer, creator, 32 bytes each (zero where absent). flags PARAM_*; exp window in ms. */
  create(lane: number, flags: number, expWindow: number): void;
  /** input: the base; after `create`. 0: these bytes are no state of this enclave. */
  loadBase(length: number): number;
  /** input: recents; after `loadBase`, oldest first. 0: not whole rows. */
  loadRecents(length: number): number;

  /** 0: a batch is open, or too many wait to be sealed. */
  begin(now: number): number;
  /** input: one IC. −2: no batch is open. */
  stage(flags: number): number;
  stagedSeq(): number;
  atBoundary(): number;
  closeBundle(): number;
  isOpen(): number;
  /** Address of the event hashes to sign, `endedLength` bytes; 0: no batch is open. */
  end(): number;
  endedLength(): number;
  /** input: signatures. Address of a SEALED_* block; 0: wrong call, 1: a tree head was not signed. */
  seal(): number;

  /** input: skeleton, content. 0, an error number, or a negative reason; `failedSeq` says where. */
  replay(skeletonLength: number, contentLength: number): number;
  readonly failedSeq: WebAssembly.Global<'i64'>;
  /** input: sequencer 32, seq_sig 64, extra (64 bytes of room), IC. 0, an error number, or −1: batches are staged. */
  fold(timestamp: number, extraLength: number): number;
  /** input: the tree head's signature, 64 bytes. As `fold`. */
  foldClosing(t: number): number;
  /** Address of a SEALED_* block; `dropFolded` when its bytes have been copied. */
  takeFolded(): number;
  dropFolded(): void;

  /**
   * input: the request, then each answer: u32 length, u32 zero, bytes padded to 8. 0: the output is the JSON. READ_NEED:
   * the output is the needs, u32 kind, u32 zero, u64 a, u64 b each. Below that: a wrong call. Else an error number.
   */
  read(requestLength: number, now: number, answers: number): number;
  /** input: the request. 0 or an error number. */
  openQuery(now: number): number;
  /** input: request, record, content. 1: the output is the event; 0: not for this reader; −1: a wrong call. */
  select(requestLength: number, recordLength: number, contentLength: number): number;

  /** Address of i64 seq, u64 closed bundles, chain 32, CT root 32. */
  head(): number;
  /** Address of 32 bytes. */
  stateHash(): number;
  /** 0 active, 1 paused, 2 terminated, 3 migrated. */
  status(): number;
  dueAt(): number;
  leaves(): number;
  timestamp(): number;
  /** The output is the canonical state; 0: it can't be taken now. */
  exportBase(): number;
  /** The output is the rows. */
  exportRecents(fromSeq: number): void;
}

export const PARAM_KEY = 1;
export const PARAM_PROVISIONED = 2;
export const PARAM_CREATOR = 4;

export const READ_NEED = -1;

/** Block of a sealed batch: u32 events, u32 closings, i64 first seq, i64 timestamp, a head, then (u32 address, u32 length)
 *  of skeleton, content, receipts, and the address of the offsets (u32 each, one more than events). */
export const SEALED_HEAD = 24;
export const SEALED_SKELETON = 104;
export const SEALED_CONTENT = 112;
export const SEALED_RECEIPTS = 120;
export const SEALED_OFFSETS = 128;
