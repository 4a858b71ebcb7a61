import type { Clock } from './clock.ts';
import { Refused, Unreachable } from './errors.ts';

export interface Backoff {
  /** First wait, ms. */
  readonly baseMs: number;
  /** No wait is longer, ms, unless the node asks for it. */
  readonly capMs: number;
}

export const BACKOFF: Backoff = { baseMs: 50, capMs: 3_000 };

/** Told before each repetition: what went wrong, and until when (Unix ms) it is tried again. */
export type OnRetry = (error: Error, until: number) => void;

const PASSING = new Set(['unavailable', 'fenced', 'overloaded', 'rate_limited']);

/**
 * True for what may be over in a moment: no connection, a time-out, 429, and the 503s but `enclave_regressed`, which
 * waits for an operator.
 */
export function isPassing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Refused && PASSING.has(error.code));
}

/**
 * Wait before attempt `n` + 1 (n from 0): exponential, full jitter over the upper half so that clients spread out,
 * never shorter than the node's Retry-After.
 */
export function waitAfter(n: number, error: unknown, clock: Clock, backoff: Backoff = BACKOFF): number {
  const ceiling = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.min(n, 20));
  const jittered = ceiling / 2 + (clock.random() * ceiling) / 2;
  const asked = error instanceof Refused || error instanceof Unreachable ? (error.retryAfterMs ?? 0) : 0;
  return Math.ceil(Math.max(jittered, asked));
}

/**
 * Runs `attempt` until it succeeds, fails for good, or the next try would start after `until` (Unix ms); then the last
 * error is thrown. `attempt` must be safe to repeat.
 */
export async function retrying<T>(
  attempt: (n: number) => Promise<T>,
  options: {
    until: number;
    clock: Clock;
    backoff?: Backoff;
    signal?: AbortSignal | undefined;
    onRetry?: OnRetry | undefined;
  },
): Promise<T> {
  for (let n = 0; ; n++) {
    try {
      return await attempt(n);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!isPassing(error)) throw error;
      const wait = waitAfter(n, error, options.clock, options.backoff);
      if (options.clock.now() + wait > options.until) throw error;
      options.onRetry?.(error as Error, options.until);
      await options.clock.sleep(wait, options.signal);
    }
  }
}
