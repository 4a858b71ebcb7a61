import type { LogKey } from '../enclave-log.ts';

/**
 * Tells an archiver which logs to look at. A hint is no more than that: it may be lost, or come twice, or to several
 * processes; the log's cursor says what there is to do, and a sweep over the log makes up for lost hints.
 */
export interface ArchiveHints {
  /** A bundle of this log has been released. Never throws, never waits. */
  hint(key: LogKey): void;
  /** Calls `work` for logs that were hinted at; when it rejects, again later. Once, before the first hint. */
  start(work: (key: LogKey) => Promise<void>): void;
  /** Ends; resolves when no `work` is running any more. Hints that are left are dropped. */
  close(): Promise<void>;
}
