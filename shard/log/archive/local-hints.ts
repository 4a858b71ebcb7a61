import type { LogKey } from '../enclave-log.ts';
import type { ArchiveHints } from './archive-hints.ts';

/** Hints that wait; more are dropped: the next sweep finds their logs. */
const MAX_WAITING = 65_536;
/** Logs that are archived at a time: a store that is far away answers slowly. */
const AT_ONCE = 4;
/** Wait before a log is tried again, doubled with every failure, ms. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

interface Waiting {
  readonly key: LogKey;
  failures: number;
}

export interface LocalHintsOptions {
  readonly retryMs?: number;
  readonly maxWaiting?: number;
}

/** Hints within one process, in memory. */
export class LocalHints implements ArchiveHints {
  readonly #retryMs: number;
  readonly #max: number;
  /** by log, in the order in which they came; a log is in one of the three at most, but may be hinted at while it runs */
  readonly #waiting = new Map<string, Waiting>();
  readonly #running = new Map<string, { again: boolean }>();
  readonly #failed = new Map<string, { readonly waiting: Waiting; readonly timer: NodeJS.Timeout }>();
  #work: ((key: LogKey) => Promise<void>) | null = null;
  #closed: (() => void) | null = null;

  constructor(options: LocalHintsOptions = {}) {
    this.#retryMs = options.retryMs ?? RETRY_MS;
    this.#max = options.maxWaiting ?? MAX_WAITING;
  }

  hint(key: LogKey): void {
    const name = nameOf(key);
    const running = this.#running.get(name);
    if (running !== undefined) running.again = true;
    else if (!this.#waiting.has(name) && !this.#failed.has(name)) this.#wait(name, { key, failures: 0 });
  }

  start(work: (key: LogKey) => Promise<void>): void {
    this.#work = work;
    this.#next();
  }

  async close(): Promise<void> {
    this.#waiting.clear();
    for (const { timer } of this.#failed.values()) clearTimeout(timer);
    this.#failed.clear();
    this.#work = null;
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#closed = resolve));
  }

  #wait(name: string, waiting: Waiting): void {
    if (this.#waiting.size + this.#failed.size >= this.#max) return;
    this.#waiting.set(name, waiting);
    this.#next();
  }

  #next(): void {
    for (const [name, waiting] of this.#waiting) {
      if (this.#work === null || this.#running.size >= AT_ONCE) return;
      this.#waiting.delete(name);
      void this.#run(name, waiting, this.#work);
    }
  }

  async #run(name: string, waiting: Waiting, work: (key: LogKey) => Promise<void>): Promise<void> {
    const running = { again: false };
    this.#running.set(name, running);
    const failed = await work(waiting.key).then(
      () => false,
      () => true,
    );
    this.#running.delete(name);
    if (this.#work === null) {
      if (this.#running.size === 0) this.#closed?.();
      return;
    }
    if (failed) this.#later(name, { key: waiting.key, failures: waiting.failures + 1 });
    else if (running.again) this.#wait(name, { key: waiting.key, failures: 0 });
    this.#next();
  }

  #later(name: string, waiting: Waiting): void {
    const ms = Math.min(MAX_RETRY_MS, this.#retryMs * 2 ** Math.min(20, waiting.failures - 1));
    const timer = setTimeout(() => {
      this.#failed.delete(name);
      this.#wait(name, waiting);
    }, ms);
    this.#failed.set(name, { waiting, timer });
  }
}

function nameOf(key: LogKey): string {
  return `${Buffer.from(key.enclave).toString('latin1')}${key.lane}`;
}
