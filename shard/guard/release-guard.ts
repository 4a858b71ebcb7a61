import type { Head } from '../../kernel/kernel.ts';
import type { LogKey } from '../log/enclave-log.ts';

/**
 * The release guard (ARCHITECTURE §3): one watermark per (enclave, lane), the head up to which anything has been
 * released to anyone. It fails separately from the log, and is moved by compare-and-set only.
 */
export interface Advance {
  readonly key: LogKey;
  readonly from: Head;
  readonly to: Head;
  /** Called once: 'ok' when `to` is durable, 'refused' when the row is not `from`, 'unknown' for anything else. */
  readonly done: (result: 'ok' | 'refused' | 'unknown') => void;
}

export interface ReleaseGuard {
  /** random id of this store, 16 bytes; recorded in the log */
  readonly id: Uint8Array;
  /** The watermark, or null if there is no row. */
  read(key: LogKey): Promise<Head | null>;
  /** Makes the row at seq −1 if there is none; durable when it resolves. False if there is one. */
  create(key: LogKey, head: Head): Promise<boolean>;
  /** Queues a compare-and-set; those queued meanwhile share one durable call. */
  advance(advance: Advance): void;
  close(): Promise<void>;
}
