import type { ApplyJob, LaterDone, LaterWrite } from './writer-messages.ts';

type JobOut = ApplyJob & {
  /** the last group whose rows are in it */
  readonly group: number;
};

/** The writer's book of operations that go into LMDB later, and of the one job that may be out with some of them. */
export class Jobs {
  readonly #voided: Int32Array;
  #later: LaterWrite[] = [];
  #out: JobOut | null = null;
  #count = 0;
  #answers: LaterDone[] = [];

  /** `voided`: as ApplierData.voided */
  constructor(voided: Int32Array) {
    this.#voided = voided;
  }

  /** operations for the next job */
  get waiting(): number {
    return this.#later.length;
  }

  get out(): JobOut | null {
    return this.#out;
  }

  add(write: LaterWrite): void {
    this.#later.push(write);
  }

  /** The next job, with all operations that wait. One at a time: `done`, `takeBack` or `overtaken` ends it. */
  next(rest: Omit<JobOut, 'number' | 'later'>): ApplyJob {
    const { group, ...job } = rest;
    const next = { ...job, number: ++this.#count, later: this.#later };
    this.#out = { ...next, group };
    this.#later = [];
    return next;
  }

  /** The job that is out is done. */
  done(codes: Uint8Array): void {
    if (this.#out) this.#answer(this.#out.later, codes);
    this.#out = null;
  }

  /** The job that is out is not done, as far as the writer knows: its operations wait again. */
  takeBack(): void {
    if (this.#out) this.#later = [...this.#out.later, ...this.#later];
    this.#out = null;
  }

  /**
   * All operations, those of the job that is out included, for a transaction of the writer that has not asked for LMDB's
   * lock yet: whoever gets the lock afterwards sees that the job is void.
   */
  overtake(): readonly LaterWrite[] {
    if (this.#out !== null) Atomics.store(this.#voided, 0, this.#out.number);
    return [...(this.#out?.later ?? []), ...this.#later];
  }

  /** That transaction has carried them out. */
  overtaken(later: readonly LaterWrite[], codes: Uint8Array): void {
    this.#out = null;
    this.#later = [];
    this.#answer(later, codes);
  }

  /** Operations that wait are not tried again: each caller knows what to do without. */
  giveUp(code: number): void {
    this.takeBack();
    this.#answer(this.#later, new Uint8Array(this.#later.length).fill(code));
    this.#later = [];
  }

  /** What is to be said since the last time. */
  takeAnswers(): LaterDone[] {
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  #answer(later: readonly LaterWrite[], codes: Uint8Array): void {
    if (later.length > 0)
      this.#answers.push({ kind: 'later', numbers: later.map(({ number }) => number), codes: new Uint8Array(codes) });
  }
}
