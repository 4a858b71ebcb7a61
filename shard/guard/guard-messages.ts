/** One call in a group's buffer: enclave32 be32 lane, u8 1 = create, 3 zero, head expected (80), new head (80). */
export const GUARD_CALL = 200;

export const GUARD_OK = 0;
export const GUARD_REFUSED = 1;
export const GUARD_UNKNOWN = 2;
export const GUARD_RESULTS = ['ok', 'refused', 'unknown'] as const;
export type GuardResult = (typeof GUARD_RESULTS)[number];

export type ToGuardWriter = { readonly kind: 'group'; readonly packed: ArrayBuffer } | { readonly kind: 'close' };

export interface GuardWriterData {
  readonly folder: string;
  /** Int32 that holds the number of the last group whose watermarks are all in LMDB */
  readonly applied: SharedArrayBuffer;
}

export interface GuardDone {
  readonly kind: 'done';
  readonly codes: Uint8Array;
  /** groups are counted from 1, and from −2^31 on behind 2^31 − 1 */
  readonly group: number;
  readonly error: string | null;
  /** nothing will be written any more */
  readonly fatal: boolean;
  /** because another process has taken the folder over */
  readonly lost: boolean;
}

export type FromGuardWriter =
  | { readonly kind: 'started'; readonly error: string | null }
  | GuardDone
  | { readonly kind: 'closed' };
