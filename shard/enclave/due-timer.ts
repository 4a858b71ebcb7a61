/** One timer per active enclave, for the time at which its open bundle is due. */
export class DueTimer {
  readonly #now: () => number;
  readonly #fire: () => void;
  #timer: NodeJS.Timeout | null = null;
  #at = 0;

  /** `now`: wall clock, ms */
  constructor(now: () => number, fire: () => void) {
    this.#now = now;
    this.#fire = fire;
  }

  /** Fires at `due`, ms, and no more at an earlier one that it was armed for; 0: not at all. */
  arm(due: number): void {
    if (due === this.#at) return;
    this.clear();
    this.#at = due;
    if (due === 0) return;
    const fire = (): void => {
      this.#at = 0;
      this.#fire();
    };
    this.#timer = setTimeout(fire, Math.max(1, due - this.#now()));
  }

  clear(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
