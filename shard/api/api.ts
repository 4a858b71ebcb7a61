import type { Readable } from 'node:stream';
import type { InspectMode } from '../../kernel/kernel.ts';
import type { Traced } from '../../tracing/traced.ts';

/** What a streamed answer is: JSON, or a snapshot file (PROTOCOL §10). */
export type StreamKind = 'json' | 'snapshot';

/**
 * One call of the public API, and the way back to whoever made it: over HTTP (http-exchange.ts), or over the link from a
 * router (shard/link). Either it is answered whole, or an answer is begun, written and ended.
 */
export interface Exchange {
  /** the body as it came in; empty if there is none */
  readonly body: Uint8Array;
  /** the body of a call that brings a file */
  readonly upload: Readable;
  /** the span of the call, null if it is not traced */
  readonly trace: Traced | null;
  /** address of the client, for its rate limit */
  readonly address: string;
  /** Carries the admin token, or is a loopback caller of a node that is being developed on (PROTOCOL §9). */
  isAdmin(): boolean;
  /** May a call on the enclave whose id stands in `bytes` at `at` be served here? If not, it has been answered. */
  admit(bytes: Uint8Array, at: number): boolean;
  /** A whole answer of JSON bytes: `code` 0, or the error number that they tell of. */
  answer(code: number, body: Uint8Array): void;
  begin(kind: StreamKind, enclave: Uint8Array): void;
  /** False when the reader is behind: `drained` tells when more may be written. `bytes` are the callee's from now on. */
  write(bytes: Uint8Array): boolean;
  /** Resolves when the reader has caught up, or is gone. */
  drained(): Promise<void>;
  end(bytes: Uint8Array): void;
  /** Nobody waits for the answer any more. */
  readonly gone: boolean;
  /** Something failed: an error answer if none was begun, else the answer is cut off, so that nobody takes it for whole. */
  fail(error: unknown): void;
}

/**
 * What stands behind the HTTP door: the enclaves of this process (local-api.ts), or those of a whole cluster (router/).
 * Each call is answered through its exchange; none of them throws. Ids are 32 raw bytes.
 */
export interface Api {
  /** The members of `GET /` that never change, as JSON without braces; null while they are not known yet. */
  about(): string | null;
  /** `POST /` and its forms by path: one commit, an array of commits, or a typed request. `enclave`: the one in the path. */
  post(exchange: Exchange, mode: InspectMode, enclave?: Uint8Array): void;
  sth(exchange: Exchange, enclave: Uint8Array): void;
  /** `from`, `to`: −1 = absent */
  consistency(exchange: Exchange, enclave: Uint8Array, from: number, to: number): void;
  receipt(exchange: Exchange, enclave: Uint8Array, hash: Uint8Array, sig: Uint8Array): void;
  // The operator's calls: whoever asks has been looked at before.
  closeBundle(exchange: Exchange, enclave: Uint8Array): void;
  initWithPriv(exchange: Exchange, enclave: Uint8Array): void;
  snapshot(exchange: Exchange, enclave: Uint8Array): void;
  /** `expected`: the sequencer that the caller trusts, null if none was named */
  restore(exchange: Exchange, enclave: Uint8Array, expected: Uint8Array | null): void;
  recover(exchange: Exchange, enclave: Uint8Array): void;
}
