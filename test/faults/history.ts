import type { Commit } from '../../protocol/commit.ts';
import type { Sth } from '../../protocol/sth.ts';

/** One request for one commit, and what came back. Times are Unix ms of the machine on which the node runs as well. */
export interface Attempt {
  readonly sent: number;
  readonly got: number;
  /** which life of the node was asked */
  readonly life: number;
  /** HTTP; 0: no answer (connection lost, time-out); −1: half of one */
  readonly status: number;
  /** the JSON text that answers this commit, '' if there is none */
  readonly answer: string;
}

/** A commit, and every attempt to have it accepted. */
export interface Asked {
  readonly commit: Commit;
  readonly attempts: Attempt[];
}

/** GET receipt of a commit that was sent before, by whoever has its signature. */
export interface LookUp {
  readonly commit: Commit;
  readonly sent: number;
  /** '' if there was none */
  readonly answer: string;
}

export interface HostedEnclave {
  readonly id: string;
  readonly sequencer: string;
  /** events that close a bundle, and ms after which it is due */
  readonly bundle: { readonly size: number; readonly timeout: number };
  /** may read everything */
  readonly owner: { readonly id: string; readonly secret: Uint8Array };
}

/** An event as some reader was shown it: only what tells it from others. */
export interface SeenEvent {
  readonly enclave: string;
  readonly seq: number;
  readonly id: string;
  readonly hash: string;
}

/** All that the outside knows of a run: nothing in it comes from the node's own files. */
export class History {
  readonly enclaves: HostedEnclave[] = [];
  readonly asked: Asked[] = [];
  readonly lookUps: LookUp[] = [];
  readonly heads: Sth[] = [];
  readonly #seen = new Map<string, SeenEvent>();

  /** Remembers an event that was shown; a different one under the same seq is kept beside it. */
  see(event: SeenEvent): void {
    this.#seen.set(`${event.enclave}/${event.seq}/${event.id}`, event);
  }

  get seen(): Iterable<SeenEvent> {
    return this.#seen.values();
  }

  remember(head: Sth): void {
    if (
      !this.heads.some(
        (known) =>
          known.enclave === head.enclave && known.ts === head.ts && known.r === head.r && known.sig === head.sig,
      )
    ) {
      this.heads.push(head);
    }
  }
}

/** Error codes after which the same bytes are sent again. */
const RETRIED = new Set(['unavailable', 'fenced', 'overloaded', 'rate_limited', 'internal', 'enclave_regressed']);

/** The error code of an answer, null for a receipt or no answer. */
export function errorCode(answer: string): string | null {
  return /^\{"type":"Error","error":"([a-z_]+)"/.exec(answer)?.[1] ?? null;
}

export function isReceipt(answer: string): boolean {
  return answer.startsWith('{"type":"Receipt",');
}

/** Did the node say for good what became of the commit? */
export function isFinal(attempt: Attempt): boolean {
  if (isReceipt(attempt.answer)) return true;
  const code = errorCode(attempt.answer);
  return code !== null && !RETRIED.has(code);
}
