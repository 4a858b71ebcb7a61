import type { Traced } from '../../tracing/traced.ts';

/** What is noted of a traced commit on its way to its batch: stamps of performance.now(), 0 where it did not come by. */
export class CommitTrace {
  /** the span of the commit's call */
  readonly call: Traced;
  readonly #arrived: number;
  /** its enclave, which slept, was open */
  opened = 0;
  /** its signature had been checked */
  verified = 0;

  constructor(call: Traced, arrived: number) {
    this.call = call;
    this.#arrived = arrived;
  }

  /** It is staged now: what came before becomes spans. */
  staged(at: number): void {
    if (this.opened > 0) this.call.part('open', this.#arrived, this.opened);
    if (this.verified === 0) return;
    this.call.part('verify', this.opened || this.#arrived, this.verified);
    this.call.part('queue', this.verified, at);
  }
}
