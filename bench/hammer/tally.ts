import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Kinds of reads, each of which proves something (reader.ts). */
export const READS = ['head', 'proof', 'page', 'query', 'state', 'receipt', 'again'] as const;
export type Read = (typeof READS)[number];

/** What happened in one second of one thread. */
export interface SecondPart {
  /** number of the second since the load began */
  readonly second: number;
  readonly offered: number;
  readonly shed: number;
  readonly acknowledged: number;
  /** attempts that failed, by code; each is repeated, or counted among the findings */
  readonly errors: Readonly<Record<string, number>>;
  /** Commits that expired before anybody took them. */
  readonly expired: number;
  /** reads that were answered and checked, by kind */
  readonly reads: Readonly<Record<string, number>>;
  readonly readErrors: Readonly<Record<string, number>>;
  /** commits whose outcome is open at its end */
  readonly open: number;
  /** from the intended send time to the checked receipt, µs */
  readonly latency: RecordableHistogram;
  /** hundredths of the second in which something was acknowledged */
  readonly slots: Uint8Array;
}

/** Slots of a second, for finding gaps: 10 ms are fine enough for what lasts a second. */
export const SLOTS = 100;
/** µs; what takes longer counts as this */
const LONGEST = 3_600_000_000;

interface Counters {
  offered: number;
  shed: number;
  acknowledged: number;
  errors: Record<string, number>;
  expired: number;
  reads: Record<string, number>;
  readErrors: Record<string, number>;
  latency: RecordableHistogram;
  slots: Uint8Array;
}

const fresh = (): Counters => ({
  offered: 0,
  shed: 0,
  acknowledged: 0,
  errors: {},
  expired: 0,
  reads: {},
  readErrors: {},
  latency: histogram(),
  slots: new Uint8Array(SLOTS),
});

/** Two significant digits are enough for a plot, and small enough to make one a second. */
export const histogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: LONGEST, figures: 2 });

/** Counts by the second of the wall clock in which things happen, counted from `start` (Unix ms). */
export class Tally {
  readonly #start: number;
  readonly #send: (part: SecondPart) => void;
  #second = 0;
  #now = fresh();
  /** commits whose outcome is open */
  open = 0;
  /** acknowledged so far */
  total = 0;

  constructor(start: number, send: (part: SecondPart) => void) {
    this.#start = start;
    this.#send = send;
  }

  offer(commits: number): void {
    this.#at().offered += commits;
  }

  shed(commits: number): void {
    this.#at().shed += commits;
  }

  /** `intended`: when it was due, Unix ms */
  acknowledge(intended: number): void {
    const now = this.#at();
    now.acknowledged++;
    this.total++;
    const time = Date.now();
    now.latency.record(Math.min(LONGEST, Math.max(1, Math.round((time - intended) * 1000))));
    now.slots[Math.min(SLOTS - 1, Math.max(0, Math.floor(((time - this.#start) % 1000) / (1000 / SLOTS))))] = 1;
  }

  error(code: string): void {
    add(this.#at().errors, code);
  }

  expire(): void {
    this.#at().expired++;
  }

  read(kind: Read): void {
    add(this.#at().reads, kind);
  }

  readError(code: string): void {
    add(this.#at().readErrors, code);
  }

  /** Sends what is over. Call it at least once a second. */
  roll(): void {
    this.#at();
  }

  /** Sends the second that is under way, too. */
  end(): void {
    this.#at();
    this.#flush(this.#second + 1);
  }

  #at(): Counters {
    const second = Math.max(0, Math.floor((Date.now() - this.#start) / 1000));
    if (second > this.#second) this.#flush(second);
    return this.#now;
  }

  #flush(next: number): void {
    this.#send({ second: this.#second, open: this.open, ...this.#now });
    this.#second = next;
    this.#now = fresh();
  }
}

function add(to: Record<string, number>, name: string): void {
  to[name] = (to[name] ?? 0) + 1;
}
