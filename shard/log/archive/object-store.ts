/** Bytes of an object. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Where archived bundles are kept. An object is written once; the only change that it ever sees is that bytes of it
 * become zeros. One conformance suite runs against every store.
 */
export interface ObjectStore {
  /** for logs and errors, without secrets */
  readonly name: string;
  /** Writes an object if there is none of this name; durable when it resolves, also with 'exists'. Never half there. */
  create(name: string, bytes: Uint8Array): Promise<'created' | 'exists'>;
  /** null if there is no such object. Throws ArchiveDamaged on one that is larger than any that was ever written. */
  get(name: string): Promise<Uint8Array | null>;
  /**
   * Overwrites these bytes with zeros, durably. There is no call that could change anything else, so erasures of two
   * owners at a time, repeated or late ones, lead to the same object. No such object, or a shorter one: nothing is done.
   */
  erase(name: string, ranges: readonly ByteRange[]): Promise<void>;
  close(): Promise<void>;
}

/** The store did not do it, or nobody knows: try again later; every call may be repeated. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';

  constructor(what: string, cause: unknown) {
    super(`${what}: ${cause instanceof Error ? cause.message || cause.name : String(cause)}`, { cause });
  }
}

/** The ranges as zeros in these bytes; what lies behind their end is left out. */
export function zero(bytes: Uint8Array, ranges: readonly ByteRange[]): void {
  for (const { offset, length } of ranges) bytes.fill(0, offset, offset + length);
}
