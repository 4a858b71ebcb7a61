import type { Batch, LogKey } from './enclave-log.ts';

/** Where the log finds events that it has trimmed. */
export interface ArchiveReader {
  /** As EnclaveLog.read, over what is archived: batches in order from the one that holds event `from` (it may begin
   *  earlier), until about `maxBytes` (at least one), each with the closings behind its events. Rejects when it can't. */
  read(key: LogKey, from: number, maxBytes: number): Promise<Batch[]>;
}
