/**
 * Numbers and types of the binary layouts that kernel/kernel.ts describes, as far as the codec writes and reads them.
 * They stand here because protocol/ imports no other room.
 */
export const FORMAT_VERSION = 1;
export const RULES_VERSION = 1;

/** IC flags, byte 6 of an IC, byte 5 of an event record. */
export const IC_TAGS = 1; // `tags` was sent
export const IC_ALG = 2; // `alg` was sent
export const IC_ECDSA = 4; // alg is ecdsa
export const IC_TARGET = 8; // `target` is filled
export const IC_ERASED = 16; // snapshot commits and records: content is gone, content_hash stands for it
export const IC_HASH_OK = 32; // the hash sent equals the hash computed (IC only; zero in records)
export const IC_ENCLAVE_OK = 64; // a Manifest whose `enclave` equals H(0x12, …) (IC only; zero in records)

export const TYPE_CUSTOM = 0;
/** Type numbers of the predefined event types: index in this list. `Lanes` is reserved (PROTOCOL §12). */
export const TYPES = [
  '',
  'Manifest',
  'Move',
  'Grant',
  'Revoke',
  'Transfer',
  'Gate',
  'AC_Bundle',
  'Shared',
  'Own',
  'Update',
  'Delete',
  'Pause',
  'Resume',
  'Terminate',
  'Migrate',
  'Lanes',
] as const;

/** Names that no custom event may have. */
export const RESERVED: ReadonlySet<string> = new Set(TYPES.slice(1));

export const REQUEST_QUERY = 1;
export const REQUEST_PULL = 2;
export const REQUEST_INFO = 3;
export const REQUEST_SEQUENCER = 4;
export const REQUEST_INCLUSION = 5;
export const REQUEST_BUNDLE = 6;
export const REQUEST_STATE = 7;
export const REQUEST_STATE_BATCH = 8;
/** Made by the host, not by inspect: GET consistency (payload 0 i64 from, 8 i64 to; −1 = absent) and GET sth. */
export const REQUEST_CONSISTENCY = 9;
export const REQUEST_STH = 10;

export const FILTER_ID = 1;
export const FILTER_SEQ = 2;
export const FILTER_TYPE = 4;
export const FILTER_FROM = 8;
export const FILTER_TIME = 16;
export const FILTER_TAGS = 32;
export const FILTER_LANE = 64;

export const RECORD_EVENT = 0;
export const RECORD_CLOSING = 1;
export const RECORD_GENESIS = 2;

/** How to read a body: `POST /` (commit, array or typed request), one commit out of a snapshot, or a call by path. */
export type InspectMode = 'post' | 'snapshot' | 'inclusion' | 'bundle' | 'state' | 'state-batch';

export interface Limits {
  /** bytes of one commit's text; more is `too_large` */
  readonly maxCommit: number;
  /** commits of one array; more is `too_large` for the whole body */
  readonly maxArray: number;
}

/**
 * The result of `inspect`. kind 'error': the whole body is refused with `code`. 'commit': one IC (its own error code
 * may be set). 'array': one IC per element. 'request': one IR (its own error code may be set).
 */
export interface Inspection {
  readonly kind: 'error' | 'commit' | 'array' | 'request';
  readonly code: number;
  /** ICs or the IR, one behind the other. Owned by the caller. */
  readonly bytes: Uint8Array;
  readonly count: number;
}
