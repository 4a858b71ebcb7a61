/**
 * A store that has not answered for this long is told of, ms: as long as a heartbeat counts and an owner is believed
 * (ARCHITECTURE §3, §4). Shorter pauses, such as a connection made anew, are nobody's business.
 */
const SILENT_MS = 2000;
/**
 * A store that was silent is no advantage over others until it has been back for so long: when it comes back to all of them,
 * they find it again within this, ms.
 */
const RECOVERING_MS = 5000;

export interface HeardStore {
  /** as operators call it */
  readonly name: string;
  /** performance.now() of its last answer that counted, −∞ while there is no connection */
  readonly heardAt: () => number;
}

export interface StoresSeen {
  /** names of those that are silent, in order */
  readonly silent: readonly string[];
  /** names of those that were until lately */
  readonly recovering: readonly string[];
}

/** Which of the stores that shards share this one can't use, for others to judge by (cluster/topology/fittest.ts). */
export class SilentStores {
  readonly #stores: readonly HeardStore[];
  /** of each store, the latest that was ever seen: a connection that is gone has forgotten it */
  readonly #heard: number[];
  /** when each was last found silent */
  readonly #silentAt: number[];

  constructor(stores: readonly HeardStore[], now = performance.now()) {
    this.#stores = stores;
    this.#heard = stores.map(() => now);
    this.#silentAt = stores.map(() => Number.NEGATIVE_INFINITY);
  }

  /** To be asked more often than every SILENT_MS. */
  look(now = performance.now()): StoresSeen {
    const silent: string[] = [];
    const recovering: string[] = [];
    for (const [i, { name, heardAt }] of this.#stores.entries()) {
      const heard = Math.max(this.#heard[i] as number, heardAt());
      this.#heard[i] = heard;
      if (now - heard > SILENT_MS) {
        silent.push(name);
        this.#silentAt[i] = now;
      } else if (now - (this.#silentAt[i] as number) < RECOVERING_MS) recovering.push(name);
    }
    return { silent, recovering };
  }
}
