import type { Inspection, InspectMode } from '../protocol/layout.ts';
import * as layout from '../protocol/layout.ts';

/**
 * The kernel: one enclave (one lane of it) as a pure, deterministic fold (PROTOCOL §11).
 *
 * Two implementations, `wasm-kernel.ts` (enc-core.wasm) and `reference/`, return the same bytes for the same calls. Neither
 * has a clock, randomness or I/O; time comes in as an argument, keys and stored events through `KernelHost`.
 *
 * Binary layouts are little-endian; every record starts on a multiple of 8 and its length is a multiple of 8
 * (zero padded). `bytesN` is N raw bytes. u64 and i64 hold integers |n| ≤ 2^53−1.
 *
 * ## Inspected commit (IC): what `Inspector.inspect` makes of one commit
 *   0 u32 length      4 u16 error code (0 = ok; then only the first 16 bytes are there)
 *   6 u8  flags IC_*  7 u8 type number TYPE_*
 *   8 u32 offset and 12 u32 length of the commit's text in the body
 *  16 u64 exp        24 bytes32 enclave   56 bytes32 from   88 bytes32 hash (computed, not the one sent)
 * 120 bytes64 sig   184 bytes32 content_hash
 * 216 bytes32 target: content.target for Update/Delete (event id) and Move/Grant/Revoke/Transfer (identity) when it
 *     is a hex32; for a Manifest the key seed H(0x16, …) of PROTOCOL §3; else zero
 * 248 u32 type length   252 u32 tags length   256 u32 content length   260 u32 zero
 * 264 type (ASCII), tags (canonical JSON, empty if not sent), content (canonical JSON), padding
 *
 * ## Inspected request (IR)
 *   0 u32 length      4 u16 error code        6 u8 REQUEST_*   7 u8 zero
 *   8 bytes32 enclave 40 bytes32 from        72 bytes68 session (decoded: r32 s32 expires-be32)   140 u32 zero
 * 144 payload, by kind:
 *   Query, Pull: filter
 *       0 u32 limit   4 u8 reverse   5 u8 FILTER_* present   6 u16 zero   8 u32 lane
 *      12 u32 ids    16 u32 types   20 u32 froms   24 u32 seqs   28 u32 times   32 u32 tags   36 u32 zero   (counts)
 *      40 i64 seq from   48 i64 seq to   56 i64 time from   64 i64 time to   (inclusive; ±(2^53−1) when open)
 *      72 ids 32 each, froms 32 each, seqs u64 each, times u64 each, types (u16 length, bytes) packed,
 *         tags packed: u16 name length, u16 value count (0xffff = any value), name, then (u16 length, bytes) each
 *      (Pull is the filter {seq: {start_after: after_seq}, limit}.)
 *   Inclusion, Bundle: 0 u8 by (0 seq, 1 id, 2 leaf_index)   1 u8 has ts   2 zero   8 u64 seq or leaf_index
 *      16 u64 ts   24 bytes32 id
 *   State, StateBatch: 0 u8 namespace   1 zero   4 u32 count   8 keys packed (u16 length, bytes)
 *   Sequencer: 0 bytes32 key seed        Info: none
 *
 * ## Event record: the skeleton of an event, all but its content
 *   0 u32 length      4 u8 0 (RECORD_EVENT)   5 u8 flags IC_*   6 u8 type number   7 u8 format version (1)
 *   8 u64 seq        16 u64 timestamp        24 u64 exp        32 u64 ctl (0 in lane 0)
 *  40 u32 lane       44 u32 content length (bytes of canonical JSON in the content blob; 0 when erased)
 *  48 bytes32 id     80 bytes32 hash        112 bytes32 from  144 bytes64 sig     208 bytes64 seq_sig
 * 272 bytes32 content_hash   304 bytes32 target (as in the IC)   336 bytes32 sequencer
 * 368 u16 type length   370 u16 zero   372 u32 tags length   376 type, tags (canonical JSON), padding
 *
 * ## Closing record: a closed bundle, or (RECORD_GENESIS) the tree head of the empty log, made with the Manifest
 *   0 u32 length      4 u8 1 (RECORD_CLOSING) or 2 (RECORD_GENESIS)   5 u8 zero   6 u8 zero   7 u8 format version (1)
 *   8 u64 index (CT leaf index; 0 for genesis)   16 u64 first_seq   24 u32 bundle size   28 u32 lane   32 u64 t
 *  40 bytes32 events_root   72 bytes32 state_hash   104 bytes32 CT leaf hash   136 bytes32 CT root r with this leaf
 * 168 bytes64 STH signature  232 bytes32 sequencer   264 u32 nodes   268 u32 zero
 * 272 bytes32 × nodes: the perfect CT subtrees that this leaf completes, level 1 upwards (so nodes = trailing one
 *     bits of index); the leaf hash itself is level 0. Genesis: roots zero but r = sha256(""), no nodes.
 *
 * Records of a batch stand in the order of their effects: a closing stands behind the last event of its bundle.
 */

export const RULES_VERSION = layout.RULES_VERSION;
/** Numbers of the layouts above: their meaning is told in protocol/layout.ts. */
export const FORMAT_VERSION = layout.FORMAT_VERSION;
export const IC_TAGS = layout.IC_TAGS;
export const IC_ALG = layout.IC_ALG;
export const IC_ECDSA = layout.IC_ECDSA;
export const IC_TARGET = layout.IC_TARGET;
export const IC_ERASED = layout.IC_ERASED;
export const IC_HASH_OK = layout.IC_HASH_OK;
export const IC_ENCLAVE_OK = layout.IC_ENCLAVE_OK;
export const TYPE_CUSTOM = layout.TYPE_CUSTOM;
export const TYPES = layout.TYPES;
export const REQUEST_QUERY = layout.REQUEST_QUERY;
export const REQUEST_PULL = layout.REQUEST_PULL;
export const REQUEST_INFO = layout.REQUEST_INFO;
export const REQUEST_SEQUENCER = layout.REQUEST_SEQUENCER;
export const REQUEST_INCLUSION = layout.REQUEST_INCLUSION;
export const REQUEST_BUNDLE = layout.REQUEST_BUNDLE;
export const REQUEST_STATE = layout.REQUEST_STATE;
export const REQUEST_STATE_BATCH = layout.REQUEST_STATE_BATCH;
export const REQUEST_CONSISTENCY = layout.REQUEST_CONSISTENCY;
export const REQUEST_STH = layout.REQUEST_STH;
export const RECORD_EVENT = layout.RECORD_EVENT;
export const RECORD_CLOSING = layout.RECORD_CLOSING;
export const RECORD_GENESIS = layout.RECORD_GENESIS;

export type { Inspection, InspectMode, Limits } from '../protocol/layout.ts';

/** The stateless half: strict parsing and hashing, no enclave. One instance serves a process. */
export interface Inspector {
  /**
   * Parses the bytes that came in (PROTOCOL §1, §3, §8, §9). `enclave`: the id in the path of `/enclave/:id…`; the body
   * may then leave the field out, and another value is `invalid_commit`. Malformed request fields: envelope fields
   * `invalid_commit`, session `invalid_session`, parameters `invalid_filter`.
   */
  inspect(body: Uint8Array, mode: InspectMode, enclave?: Uint8Array): Inspection;
  /** The Receipt of an event record of `enclave`, as JSON bytes (PROTOCOL §3). */
  receipt(enclave: Uint8Array, record: Uint8Array): Uint8Array;
}

export interface KernelHost {
  /** `host_sign_seq`: sign `hash` with the sequencer's key into `sig`. 0 done, 1 deferred, <0 refused. Event hashes are
   *  deferred (signatures come with `seal`), tree heads are not. `sig` is writable, 64 bytes. */
  signSeq(hash: Uint8Array, sig: Uint8Array): number;
  /** `host_verify`: alg 0 schnorr, 1 ecdsa. */
  verify(alg: number, pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean;
  /** `host_event_meta`: the stored event with this id into `out` (≥ 128 bytes): from bytes32, u64 seq, u32 lane,
   *  u16 type length, type. Returns the length, 0 if no such event is released. */
  eventMeta(id: Uint8Array, out: Uint8Array): number;
}

export interface EnclaveParams {
  readonly enclave: Uint8Array;
  readonly lane: number;
  /** x-only key that signs here; absent when it is not held (then stage answers `enclave_read_only`) */
  readonly sequencer?: Uint8Array;
  /** the id was provisioned by init-with-priv: the Manifest's id is not checked; its author must be `creator`, or, if
   *  that is absent, the commit must carry STAGE_ADMIN (else `forbidden`) */
  readonly provisioned?: { readonly creator?: Uint8Array };
  /** ms; `exp` > T + window is `exp_too_far` */
  readonly expWindow: number;
}

export const STAGE_ADMIN = 1; // came with the admin token
export const STAGE_FULL = 2; // a quota is used up: all but Delete, Revoke and lifecycle events are `too_large`
export const STAGE_VERIFIED = 4; // the signature has been checked: good
export const STAGE_FORGED = 8; // the signature has been checked: bad (neither bit: the kernel asks host.verify)

export const ACCEPTED = 0;
export const DUPLICATE = -1;

/** (seq, chain, closed bundles, CT root), ARCHITECTURE §3. seq −1 and chain = enclave id before the Manifest. */
export interface Head {
  readonly seq: number;
  readonly chain: Uint8Array;
  readonly bundles: number;
  readonly ctRoot: Uint8Array;
}

/** What `seal` or `takeFolded` makes of a batch. All bytes are owned by the caller. */
export interface SealedBatch {
  readonly events: number;
  readonly closings: number;
  readonly firstSeq: number;
  /** records, in order */
  readonly skeleton: Uint8Array;
  /** canonical JSON contents of the events, one behind the other */
  readonly content: Uint8Array;
  /** receipts as JSON, one behind the other; receipt i = receipts[offsets[i] .. offsets[i+1]] */
  readonly receipts: Uint8Array;
  readonly offsets: Uint32Array;
  readonly head: Head;
  /** timestamp of the last event */
  readonly timestamp: number;
}

export type ReadResult =
  | { readonly kind: 'json'; readonly bytes: Uint8Array }
  | { readonly kind: 'error'; readonly code: number; readonly detail: string }
  | { readonly kind: 'need'; readonly needs: readonly Need[] };

/** What a read wants from the log. The host answers all of them, in order, and calls again with *all* answers so far. */
export type Need =
  | { readonly kind: 1; readonly a: number; readonly b: number } // CT node (level a, index b) → bytes32
  | { readonly kind: 2; readonly a: number; readonly b: 0 } // closing record of leaf a → record, or empty
  | { readonly kind: 3; readonly a: number; readonly b: number } // event ids of seqs a … a+b−1 → bytes32 each
  | { readonly kind: 4; readonly a: number; readonly b: 0 } // event at seq a → its record and behind it its content, or
  //   empty (a reader's rights may depend on target and slot key); the host sees to it that eventMeta knows its target
  | { readonly kind: 5; readonly a: number; readonly b: 0 }; // closing record of the bundle with seq a, or empty

export interface Kernel {
  readonly name: 'wasm' | 'reference';

  /** A new, empty enclave. */
  create(params: EnclaveParams): void;
  /** Puts an exported state back; throws on bytes that are not one. `recents` in order, oldest first. */
  load(params: EnclaveParams, base: Uint8Array, recents: readonly Uint8Array[]): void;

  // ---- the pipeline: begin, stage*, end | seal (first in, first out; up to 3 batches may be staged and unsealed)
  /** Starts a batch at wall time `now` (ms): T = max(now, head timestamp). Closes a bundle that is due. */
  begin(now: number): void;
  /** One IC. ACCEPTED, DUPLICATE (see `seq`) or an error number of protocol/errors; details in `detail`. */
  stage(commit: Uint8Array, flags: number): number;
  /** After ACCEPTED: the new event's seq; after DUPLICATE: the seq of the original (perhaps not sealed yet). */
  readonly seq: number;
  /** After an error: its fields as a canonical JSON fragment without braces, e.g. `"path":"/RBAC/init/0"`, or ''. */
  readonly detail: string;
  /** True if what was staged last left the open bundle empty (a checkpoint may be taken once all is sealed). */
  readonly atBoundary: boolean;
  /** Closes the open bundle (admin, or an enclave woken by the timer via begin); false if it is empty. */
  closeBundle(): boolean;
  /** Ends the batch: the event hashes to sign, 32 bytes each. The view is valid until the next call. */
  end(): Uint8Array;
  /** Seals the oldest staged batch with its signatures (64 bytes each, order of `end`). Signs tree heads by host.signSeq. */
  seal(signatures: Uint8Array): SealedBatch;

  // ---- replay
  /** Folds stored records (and their contents) in order; recomputes ids, chain, roots and compares. Throws on a
   *  difference or on an event that the rules refuse. Tree head signatures are kept, not made. */
  replay(skeleton: Uint8Array, content: Uint8Array): void;
  /** Folds one event of a snapshot: same rules, time = timestamp, `exp` only as timestamp < exp, no time-out closings.
   *  `target`: of an erased Update, whose content is gone; of a Manifest, the signature of the tree head at ts 0 (64
   *  bytes), if the snapshot has it. 0 or an error number. Signatures are the caller's business,
   *  but for the result `takeFolded` recomputes hash, id and chain. */
  fold(commit: Uint8Array, timestamp: number, sequencer: Uint8Array, seqSig: Uint8Array, target?: Uint8Array): number;
  /** Folds a closing at time t; the signature of the tree head is given (or zero, for all but the last). */
  foldClosing(t: number, sthSig: Uint8Array): number;
  /** The records of all that was folded since the last call. */
  takeFolded(): SealedBatch;

  // ---- reads: state as staged; the host lets the answer out when everything staged before it is released
  /** Info, STH, consistency, Inclusion, Bundle, State, StateBatch. `now` in ms. `answers`: all Need answers so far. */
  read(request: Uint8Array, now: number, answers: readonly Uint8Array[]): ReadResult;
  /** Query and Pull: checks session and that the reader may read anything at all. 0 or an error number. */
  openQuery(request: Uint8Array, now: number): number;
  /** The event as JSON bytes (PROTOCOL §3, §9) if the request's filter matches it and its reader may read it (R; for
   *  Pull also P), else null. The caller has called openQuery, and applies limit and order. The view is valid until the next call. */
  select(request: Uint8Array, record: Uint8Array, content: Uint8Array): Uint8Array | null;

  // ---- state
  /** Sealed head. */
  head(): Head;
  /** Root of the state tree as staged (32 bytes). */
  stateHash(): Uint8Array;
  readonly status: 'active' | 'paused' | 'terminated' | 'migrated';
  /** ms at which the open bundle is due (first event's timestamp + timeout), 0 when it is empty; as staged. */
  readonly dueAt: number;
  /** leaves of the state tree, as staged */
  readonly leaves: number;
  /** timestamp of the last staged event (floor of T), −1 before the Manifest */
  readonly timestamp: number;
  /** The canonical state at a bundle boundary with nothing staged (throws otherwise). Equal bytes in both kernels.
   *    0 "ENCK"  4 u16 FORMAT_VERSION  6 u16 RULES_VERSION  8 bytes32 enclave  40 bytes32 current sequencer
   *   72 bytes32 new_sequencer (of Migrate, else zero)  104 u32 lane  108 u8 status (0 active 1 paused 2 terminated
   *  3 migrated)  109 zero  112 i64 head seq  120 u64 head timestamp  128 bytes32 chain  160 bytes32 manifest event id
   *  192 u64 closed bundles  200 u64 STH t  208 bytes32 STH r  240 bytes64 STH sig  304 bytes32 STH sequencer
   *  336 u32 manifest length  340 u32 leaves  344 u32 marks  348 u32 CT frontier nodes
   *  352 manifest content (canonical JSON), padded to 8
   *      leaves, sorted by key: key21, zero×3, value32 (56 bytes each)
   *      retention marks, sorted by (identity, column): identity32, u32 column (state value, or 256 + trait index), u32 zero, u64 c
   *      CT frontier: the perfect subtrees of the closed bundles' tree, largest first, bytes32 each */
  exportBase(): Uint8Array;
  /** (hash32, u64 exp, u64 seq) of every accepted commit with seq ≥ fromSeq whose exp is > the head's timestamp, by seq. */
  exportRecents(fromSeq: number): Uint8Array;
  /** bytes of memory this instance holds */
  readonly memory: number;
  /** Ends the kernel: what it holds may serve another one. No call may follow; the WASM kernel throws then. */
  dispose(): void;
}
