/**
 * Why a command's outcome is not known to be durable. `offline`, `full` and `closed`: it was never sent. `short`: too few
 * replicas have it. `lost`, `late`: the connection ended, or the deadline passed, before the last reply. `refused`: the
 * server answered with an error (NOSCRIPT, READONLY, OOM, …).
 */
export type UnknownReason = 'offline' | 'full' | 'closed' | 'short' | 'lost' | 'late' | 'refused';

/** Not a failure: the write may be there or not, and may still be lost. Reopen and read the truth; never send it again. */
export class RedisUnknown extends Error {
  override readonly name = 'RedisUnknown';
  readonly reason: UnknownReason;

  constructor(reason: UnknownReason, what: string) {
    super(what);
    this.reason = reason;
  }
}

/** This server must not be used; the message is one sentence that says what to set. */
export class RedisRefused extends Error {
  override readonly name = 'RedisRefused';
}
