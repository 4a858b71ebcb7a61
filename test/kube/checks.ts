import type { Check } from './verdict.ts';

/** What was checked so far, each printed as it comes. */
export class Checks {
  #passed = 0;
  #failed = 0;

  add({ name, wrong }: Check, seconds?: number): void {
    if (wrong === null) this.#passed++;
    else this.#failed++;
    const time = seconds === undefined ? '' : ` (${seconds.toFixed(1)} s)`;
    console.log(`${wrong === null ? 'ok  ' : 'FAIL'} ${name}${time}${wrong === null ? '' : `\n     ${wrong}`}`);
  }

  /** Does something, and prints that it worked and how long it took. Rejects, when it did not, after saying so. */
  async step<T>(name: string, run: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const took = (): number => (performance.now() - began) / 1000;
    try {
      const result = await run();
      this.add({ name, wrong: null }, took());
      return result;
    } catch (error) {
      this.add({ name, wrong: error instanceof Error ? error.message : String(error) }, took());
      throw new Told(name);
    }
  }

  get ok(): boolean {
    return this.#failed === 0 && this.#passed > 0;
  }

  toString(): string {
    return `${this.#passed} checks passed, ${this.#failed} failed`;
  }
}

/** A step failed, and that was printed. */
export class Told extends Error {
  override name = 'Told';
}
