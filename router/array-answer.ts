import type { AnswerTally } from '../shard/api/answer-tally.ts';
import type { Exchange } from '../shard/api/api.ts';
import type { Target } from './flight.ts';

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** Collects the answers to the elements of an array, each alone, and answers all of them in order. */
export class ArrayAnswer {
  readonly #exchange: Exchange;
  readonly #tally: AnswerTally | null;
  readonly #answers: Uint8Array[];
  #waiting: number;

  /** `count` > 0 */
  constructor(exchange: Exchange, count: number, tally: AnswerTally | null) {
    this.#exchange = exchange;
    this.#tally = tally;
    this.#answers = new Array<Uint8Array>(count);
    this.#waiting = count;
  }

  element(index: number): Target {
    return { answer: (code, body) => this.#take(index, code, body) };
  }

  #take(index: number, code: number, body: Uint8Array): void {
    this.#tally?.count(code);
    this.#answers[index] = body;
    if (--this.#waiting > 0) return;
    const parts: Uint8Array[] = [OPEN];
    const last = this.#answers.length - 1;
    for (const [i, answer] of this.#answers.entries()) parts.push(answer, i === last ? CLOSE : COMMA);
    this.#tally?.array();
    this.#exchange.answer(0, Buffer.concat(parts));
  }
}
