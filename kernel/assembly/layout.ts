/** Offsets of the binary layouts that `kernel/kernel.ts` defines: inspected commits, records, requests. */

export const FORMAT_VERSION: u32 = 1;
export const RULES_VERSION: u32 = 1;

export const FLAG_TAGS: u32 = 1;
export const FLAG_ALG: u32 = 2;
export const FLAG_ECDSA: u32 = 4;
export const FLAG_TARGET: u32 = 8;
export const FLAG_ERASED: u32 = 16;
export const FLAG_HASH_OK: u32 = 32;
export const FLAG_ENCLAVE_OK: u32 = 64;
/** The flags that an event record keeps. */
export const RECORD_FLAGS: u32 = 31;

export const T_CUSTOM: u32 = 0;
export const T_MANIFEST: u32 = 1;
export const T_MOVE: u32 = 2;
export const T_GRANT: u32 = 3;
export const T_REVOKE: u32 = 4;
export const T_TRANSFER: u32 = 5;
export const T_GATE: u32 = 6;
export const T_AC_BUNDLE: u32 = 7;
export const T_SHARED: u32 = 8;
export const T_OWN: u32 = 9;
export const T_UPDATE: u32 = 10;
export const T_DELETE: u32 = 11;
export const T_PAUSE: u32 = 12;
export const T_RESUME: u32 = 13;
export const T_TERMINATE: u32 = 14;
export const T_MIGRATE: u32 = 15;
export const T_LANES: u32 = 16;

// ---- inspected commit
export const IC_ERROR: usize = 4;
export const IC_FLAGS: usize = 6;
export const IC_TYPE: usize = 7;
export const IC_EXP: usize = 16;
export const IC_ENCLAVE: usize = 24;
export const IC_FROM: usize = 56;
export const IC_HASH: usize = 88;
export const IC_SIG: usize = 120;
export const IC_CONTENT_HASH: usize = 184;
export const IC_TARGET: usize = 216;
export const IC_TYPE_LENGTH: usize = 248;
export const IC_TAGS_LENGTH: usize = 252;
export const IC_CONTENT_LENGTH: usize = 256;
export const IC_TEXT: usize = 264;

// ---- event record
export const R_KIND: usize = 4;
export const R_FLAGS: usize = 5;
export const R_TYPE: usize = 6;
export const R_VERSION: usize = 7;
export const R_SEQ: usize = 8;
export const R_TIMESTAMP: usize = 16;
export const R_EXP: usize = 24;
export const R_CTL: usize = 32;
export const R_LANE: usize = 40;
export const R_CONTENT_LENGTH: usize = 44;
export const R_ID: usize = 48;
export const R_HASH: usize = 80;
export const R_FROM: usize = 112;
export const R_SIG: usize = 144;
export const R_SEQ_SIG: usize = 208;
export const R_CONTENT_HASH: usize = 272;
export const R_TARGET: usize = 304;
export const R_SEQUENCER: usize = 336;
export const R_TYPE_LENGTH: usize = 368;
export const R_TAGS_LENGTH: usize = 372;
export const R_TEXT: usize = 376;

export const KIND_EVENT: u32 = 0;
export const KIND_CLOSING: u32 = 1;
export const KIND_GENESIS: u32 = 2;

// ---- closing record
export const C_INDEX: usize = 8;
export const C_FIRST: usize = 16;
export const C_SIZE: usize = 24;
export const C_LANE: usize = 28;
export const C_TIME: usize = 32;
export const C_EVENTS_ROOT: usize = 40;
export const C_STATE_HASH: usize = 72;
export const C_LEAF: usize = 104;
export const C_ROOT: usize = 136;
export const C_SIG: usize = 168;
export const C_SEQUENCER: usize = 232;
export const C_NODES: usize = 264;
export const C_NODE_LIST: usize = 272;

// ---- inspected request
export const Q_ERROR: usize = 4;
export const Q_KIND: usize = 6;
export const Q_ENCLAVE: usize = 8;
export const Q_FROM: usize = 40;
export const Q_SESSION: usize = 72;
export const Q_PAYLOAD: usize = 144;

// ---- error numbers (protocol/errors.ts)
export const E_INVALID_JSON: i32 = 1;
export const E_INVALID_COMMIT: i32 = 2;
export const E_INVALID_HASH: i32 = 3;
export const E_INVALID_FILTER: i32 = 4;
export const E_INVALID_MANIFEST: i32 = 5;
export const E_INVALID_CONTENT: i32 = 6;
export const E_INVALID_SNAPSHOT: i32 = 7;
export const E_EXPIRED: i32 = 8;
export const E_EXP_TOO_FAR: i32 = 9;
export const E_INVALID_SIGNATURE: i32 = 10;
export const E_INVALID_SESSION: i32 = 11;
export const E_SESSION_EXPIRED: i32 = 12;
export const E_FORBIDDEN: i32 = 14;
export const E_RANK: i32 = 15;
export const E_STATE_MISMATCH: i32 = 16;
export const E_NO_CHANGE: i32 = 17;
export const E_OWNER_MUST_TRANSFER: i32 = 18;
export const E_GATE_CLOSED: i32 = 19;
export const E_ENCLAVE_NOT_FOUND: i32 = 20;
export const E_EVENT_NOT_FOUND: i32 = 21;
export const E_DELETED: i32 = 23;
export const E_BUNDLE_OPEN: i32 = 24;
export const E_ENCLAVE_EXISTS: i32 = 25;
export const E_PAUSED: i32 = 26;
export const E_READ_ONLY: i32 = 27;
export const E_TERMINATED: i32 = 28;
export const E_MIGRATED: i32 = 29;
export const E_TOO_LARGE: i32 = 30;
export const E_UNAVAILABLE: i32 = 32;
