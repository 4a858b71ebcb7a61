import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

/** What became of one run. */
export interface Result {
  /** its number in the plan, from 0 */
  readonly i: number;
  readonly name: string;
  readonly seed: string;
  /** violations */
  readonly found: readonly string[];
  /** why it could not be run here */
  readonly skipped: string | null;
  readonly counts: readonly (readonly [string, number])[];
  readonly seconds: number;
}

/**
 * A file of results, a line each behind a first line that names the plan: what is in it need not be run again. A line that
 * was torn when the command was broken off is one that was never written.
 */
export class Journal {
  readonly #file: string;
  readonly #known = new Map<number, Result>();

  /** Throws where the file is of another plan. */
  constructor(file: string, plan: { seed: string; scenario: string | null }) {
    this.#file = file;
    const head = JSON.stringify(plan);
    if (!existsSync(file)) writeFileSync(file, `${head}\n`);
    const [first, ...lines] = readFileSync(file, 'utf8').split('\n');
    if (first !== head) throw new Error(`${file} holds the runs of another plan (${first}): name another file`);
    const torn = lines.pop();
    for (const line of lines) {
      const result = JSON.parse(line) as Result;
      this.#known.set(result.i, result);
    }
    if (torn !== '') writeFileSync(file, [first, ...lines, ''].join('\n'));
  }

  result(i: number): Result | undefined {
    return this.#known.get(i);
  }

  add(result: Result): void {
    appendFileSync(this.#file, `${JSON.stringify(result)}\n`);
  }
}
