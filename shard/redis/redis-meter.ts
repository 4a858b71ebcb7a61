import type { UnknownReason } from './redis-errors.ts';

/** What can be read of a store at any time. */
export interface RedisState {
  /** 0 while there is no connection */
  readonly generation: number;
  /** replicas that each write is counted on, −1 while there is no connection */
  readonly replicas: number;
  /** performance.now() of the last counted answer, −Infinity while there is no connection */
  readonly heardAt: number;
  /** writes that wait to be sent */
  readonly queued: number;
  /** bytes that the server uses, and may use (0: no limit); null while that is not known */
  readonly memory: { readonly used: number; readonly limit: number } | null;
}

/** Who measures a store. */
export interface RedisMeter {
  /** Called once, with the store. */
  watch(state: RedisState): void;
  /** A group of writes has been counted: from sending it to its last reply. */
  wrote(seconds: number): void;
  /** A connection has ended for this reason, or could not be made (`unreachable`), or a write was refused at once. */
  failed(reason: UnknownReason | 'unreachable'): void;
}
