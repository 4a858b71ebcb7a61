import type { Flight } from './flight.ts';
import type { Route } from './routes.ts';

/** The line is sent in so many portions, so often: within a third of a second; while calls keep joining it, within two. */
const PORTIONS = 16;
const EVERY_MS = 20;
/** A line of so many is joined by no new call: it goes to a shard at once, where its link bounds what is under way. */
const MAX_JOINED = 16_384;

/**
 * Calls that are to be sent again. What a broken link leaves behind may be thousands of them, and the first of each enclave
 * makes another shard open it; everybody else's calls pass between them. So they go one enclave after the other, in
 * portions (docs/decisions/take-overs-give-way.md).
 */
export class ResendLine {
  readonly #send: (flight: Flight, now: number) => void;
  /** by enclave, in the order in which the enclaves came; null: calls that any shard will do for */
  readonly #groups = new Map<Route | null, Flight[]>();
  /** what is left of the group of which some have been sent */
  #begun: Flight[] = [];
  #length = 0;
  /** length of the line at most, since it was empty */
  #longest = 0;
  readonly #next = (): void => this.#sendPortion();

  constructor(send: (flight: Flight, now: number) => void) {
    this.#send = send;
  }

  get length(): number {
    return this.#length;
  }

  /** True if calls for the flight's enclave wait, and none of them has been sent: it belongs behind them, if there is room. */
  holds(flight: Flight): boolean {
    return this.#length > 0 && this.#length < MAX_JOINED && this.#groups.has(flight.route);
  }

  push(flight: Flight): void {
    const group = this.#groups.get(flight.route);
    if (group) group.push(flight);
    else this.#groups.set(flight.route, [flight]);
    this.#longest = Math.max(this.#longest, ++this.#length);
    if (this.#length === 1) setImmediate(this.#next);
  }

  /** Empties it; none of them is sent. */
  take(): Flight[] {
    const all = [...this.#begun, ...[...this.#groups.values()].flat()];
    this.#begun = [];
    this.#groups.clear();
    this.#length = 0;
    return all;
  }

  #sendPortion(): void {
    const now = performance.now();
    const portion = Math.min(this.#length, Math.ceil(this.#longest / PORTIONS));
    for (let left = portion; left > 0; ) {
      if (this.#begun.length === 0) this.#begin();
      const due = this.#begun.splice(0, left);
      left -= due.length;
      for (const flight of due) this.#send(flight, now);
    }
    // Only now, so that the line is not empty meanwhile: whoever joins it at a sending need not see that it goes on.
    this.#length -= portion;
    if (this.#length > 0) setTimeout(this.#next, EVERY_MS);
    else this.#longest = 0;
  }

  #begin(): void {
    for (const [route, group] of this.#groups) {
      this.#groups.delete(route);
      this.#begun = group;
      return;
    }
  }
}
