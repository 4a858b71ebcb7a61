/**
 * What an instance of enc-core.wasm exports to run one enclave (kernel/assembly/index.ts). Numbers that may exceed 32 bits
 * cross as f64 (they are ≤ 2^53−1). Bytes go in through `input(length)`, which says where to put them; a call that takes
 * several runs of bytes takes them one behind the other, each padded to a multiple of 8. Bytes come out in the slots of
 * RESULT: (u32 address, u32 length) each, good until the next call.
 */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  /** address of 96 bytes: enclave, sequencer, creator; written before `create` and `load` */
  readonly PARAMS: WebAssembly.Global<'i32'>;
  /** address of RESULT_SLOTS slots of 8 bytes */
  readonly RESULT: WebAssembly.Global<'i32'>;
  input(length: number): number;

  /** flags PARAM_*; lane; exp window in ms */
  create(flags: number, lane: number, expWindow: number): void;
  /** input: base, recents. 1, or 0 if these bytes are no state. */
  load(flags: number, lane: number, expWindow: number, baseLength: number, recentsLength: number): number;

  /** 1, or 0 if no batch can be begun now */
  begin(now: number): number;
  /** input: one IC. The kernel asks `host_verify` for its signature. */
  stage(flags: number): number;
  seq(): number;
  /** slot 0: the detail of the last error, UTF-8 */
  detail(): void;
  atBoundary(): number;
  closeBundle(): number;
  /** slot 0: the event hashes to sign. 1, or 0 if no batch is open. */
  end(): number;
  /** input: signatures. Slots as SEALED. 1, or 0 if there is no such batch or a tree head was refused. */
  seal(signaturesLength: number): number;

  /** input: skeleton, content. 0 or an error number, and `detail`. */
  replay(skeletonLength: number, contentLength: number): number;
  /** input: IC, then sequencer 32, seq_sig 64 and, if hasTarget, target 32. 0 or an error number. */
  fold(commitLength: number, timestamp: number, hasTarget: number): number;
  /** input: tree head signature, 64 bytes. 0 or an error number. */
  foldClosing(t: number): number;
  /** Slots as SEALED. */
  takeFolded(): void;

  /** input: request, then each answer: u32 length, u32 zero, bytes. READ_JSON, READ_NEED or an error number; slot 0: JSON, detail, or
   *  needs (u32 kind, u32 zero, u64 a, u64 b each). */
  read(requestLength: number, now: number, answers: number): number;
  /** input: request. 0 or an error number. */
  openQuery(requestLength: number, now: number): number;
  /** input: request, record, content. 1 and slot 0: the event; 0: not for this reader. */
  select(requestLength: number, recordLength: number, contentLength: number): number;

  /** slot 0: i64 seq, chain 32, u64 closed bundles, CT root 32 */
  head(): void;
  /** slot 0: 32 bytes */
  stateHash(): void;
  /** 0 active, 1 paused, 2 terminated, 3 migrated */
  status(): number;
  dueAt(): number;
  leaves(): number;
  timestamp(): number;
  /** slot 0: the canonical state. 1, or 0 when it can't be taken now. */
  exportBase(): number;
  /** slot 0 */
  exportRecents(fromSeq: number): void;
}

export const PARAM_SEQUENCER = 1;
export const PARAM_PROVISIONED = 2;
export const PARAM_CREATOR = 4;

export const READ_JSON = 0;
export const READ_NEED = -1;

/** Slots of a sealed batch. SEALED_HEAD: as `head`, then u64 timestamp, i64 first seq, u32 events, u32 closings. */
export const SEALED_SKELETON = 0;
export const SEALED_CONTENT = 1;
export const SEALED_RECEIPTS = 2;
/** u32 each, one more than events */
export const SEALED_OFFSETS = 3;
export const SEALED_HEAD = 4;
