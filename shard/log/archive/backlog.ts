import type { LogKey } from '../enclave-log.ts';

/** Logs that are kept count of; beyond it the figures are too small until some are done. */
const MAX_LOGS = 65_536;

interface Behind {
  bundles: number;
  /** performance.now() when it fell behind */
  readonly since: number;
}

/** What is still to be archived, as far as this process has heard of it: for metrics only. */
export class Backlog {
  readonly #behind = new Map<string, Behind>();

  /** A bundle has been released; how many are waiting is not known. */
  heard(name: string): void {
    if (!this.#behind.has(name)) this.found(name, 1);
  }

  /** So many bundles are waiting. */
  found(name: string, bundles: number): void {
    const known = this.#behind.get(name);
    if (bundles <= 0) this.#behind.delete(name);
    else if (known !== undefined) known.bundles = bundles;
    else if (this.#behind.size < MAX_LOGS) this.#behind.set(name, { bundles, since: performance.now() });
  }

  /** One of them has been archived. */
  archived(name: string): void {
    this.found(name, (this.#behind.get(name)?.bundles ?? 0) - 1);
  }

  get bundles(): number {
    let sum = 0;
    for (const { bundles } of this.#behind.values()) sum += bundles;
    return sum;
  }

  /** Seconds since the log that has waited longest fell behind. */
  get seconds(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { since } of this.#behind.values()) oldest = Math.min(oldest, since);
    return oldest === Number.POSITIVE_INFINITY ? 0 : (performance.now() - oldest) / 1000;
  }
}

export function logName(key: LogKey): string {
  return `${Buffer.from(key.enclave).toString('hex')}/${key.lane}`;
}
