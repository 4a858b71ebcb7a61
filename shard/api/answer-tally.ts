import { LATENCY, type Meters } from '../../cluster/metrics/meters.ts';
import { SecondsTally } from '../../cluster/metrics/seconds-tally.ts';
import { ERRORS, type ErrorCode, errorNumber } from '../../protocol/errors.ts';

/**
 * What a call is, to whoever watches latency: `post` (commits, arrays of them, and the few requests that come the same way
 * and are answered whole), `query` (streamed: until the answer begins), `proof` (proofs, tree heads, receipts), `operator`.
 */
export const CALLS = ['post', 'query', 'proof', 'operator'] as const;
export type Call = (typeof CALLS)[number];
/** `refused`: the caller's doing (4xx); `failed`: the operator's (5xx). */
export const OUTCOMES = ['ok', 'refused', 'failed'] as const;
type Outcome = (typeof OUTCOMES)[number];

const OK = 0;
/** outcome by error number */
const OUTCOME_OF = [OK, ...ERRORS.map(({ status }) => (status < 500 ? 1 : 2))];
const FIRST_SERIES: Readonly<Record<Call, number>> = { post: 0, query: 3, proof: 6, operator: 9 };

/** Counts the error answers of a process by code. */
export class ErrorTally {
  readonly #byCode = new Float64Array(ERRORS.length + 1);

  constructor(meters: Meters) {
    const labels = { code: ERRORS.map(({ code }) => code) };
    const read = ({ code }: { code: string }) => this.#byCode[errorNumber(code as ErrorCode)] as number;
    meters.counted('enc_errors_total', 'error answers by code', read, labels);
  }

  /** An answer, or one element of an array: `code` 0 for no error, else its number. */
  count(code: number): void {
    this.#byCode[code] = (this.#byCode[code] as number) + 1;
  }

  /** The elements of an array have been counted: the answer that holds them is about to be given. */
  array(): void {}
}

/**
 * The public door: rate, errors and latency of what clients are answered. Of an array each element counts as an answer of
 * its own; its latency is that of the whole.
 */
export class AnswerTally extends ErrorTally {
  readonly #seconds: SecondsTally<'call' | 'outcome'>;
  /** answers that were not timed: elements of arrays, and what is refused at once; less the arrays, which are timed as `ok` */
  readonly #untimed = new Float64Array(OUTCOMES.length);

  constructor(meters: Meters) {
    super(meters);
    const labels = { call: CALLS, outcome: OUTCOMES };
    const help = 'arrival of a call until it is answered, or its answer begins';
    this.#seconds = new SecondsTally(meters, 'enc_answer_seconds', help, LATENCY, labels);
    const about = 'answers of the public API, each commit of an array alone: ok, refused (4xx), failed (5xx)';
    const read = ({ outcome }: { outcome: string }) => this.#answers(OUTCOMES.indexOf(outcome as Outcome));
    meters.counted('enc_answers_total', about, read, { outcome: OUTCOMES });
  }

  override count(code: number): void {
    super.count(code);
    this.#add(OUTCOME_OF[code] as number, 1);
  }

  override array(): void {
    this.#add(OK, -1);
  }

  /** A call has been answered. */
  answered(call: Call, code: number, seconds: number): void {
    super.count(code);
    this.#seconds.observe(seconds, FIRST_SERIES[call] + (OUTCOME_OF[code] as number));
  }

  #add(outcome: number, answers: number): void {
    this.#untimed[outcome] = (this.#untimed[outcome] as number) + answers;
  }

  #answers(outcome: number): number {
    let sum = this.#untimed[outcome] as number;
    for (const call of CALLS) sum += this.#seconds.count(FIRST_SERIES[call] + outcome);
    return sum;
  }
}
