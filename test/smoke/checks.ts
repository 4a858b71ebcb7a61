import { writeFileSync } from 'node:fs';

/** Named checks, one line each; a failed one says why and the others go on. */
export class Checks {
  readonly #results: { name: string; error: string | null }[] = [];

  async check(name: string, run: () => unknown): Promise<boolean> {
    let error: string | null = null;
    try {
      await run();
    } catch (cause) {
      error = cause instanceof Error ? cause.message : String(cause);
    }
    this.#results.push({ name, error });
    process.stdout.write(`${error === null ? 'ok    ' : 'FAILED'} ${name}${error === null ? '' : `: ${error}`}\n`);
    return error === null;
  }

  /** Prints the last line; the exit code. */
  finish(json?: string): number {
    const failed = this.#results.filter(({ error }) => error !== null).length;
    if (json) writeFileSync(json, `${JSON.stringify(this.#results, null, 2)}\n`);
    process.stdout.write(`${this.#results.length - failed} passed, ${failed} failed\n`);
    return failed === 0 ? 0 : 1;
  }
}
