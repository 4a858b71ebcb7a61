import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../test/faults/random.ts';
import type { Job } from './messages.ts';
import type { Site } from './site.ts';
import type { Tally } from './tally.ts';
import type { Writer } from './writer.ts';

export interface OfferModules {
  readonly writer: Writer;
  readonly tally: Tally;
  readonly sites: readonly Site[];
  readonly random: Random;
}

/** How exact the times of sending are, ms: a busy wait would take the node's CPU. What it is late by counts as latency. */
const TICK_MS = 2;
const POLL_MS = 20;

/**
 * The open loop: commits are due at a fixed rate, whether or not earlier ones were answered. When too many are under way,
 * what is due is shed, and counts as offered.
 */
export class Offer {
  readonly #job: Job;
  readonly #start: number;
  readonly #m: OfferModules;
  #stopped = false;
  #underWay = 0;
  #failed: unknown = null;
  /** ended because as many events as allowed were acknowledged */
  full = false;

  /** `start`: Unix ms */
  constructor(job: Job, start: number, modules: OfferModules) {
    this.#job = job;
    this.#start = start;
    this.#m = modules;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Until its time is over, or it is stopped. Throws what is no fault of the node. */
  async run(): Promise<void> {
    const { rate, seconds } = this.#job;
    const total = Math.round(rate * seconds);
    for (let next = 0; next < total && !this.#stopped; ) {
      const due = this.#start + (next / rate) * 1000;
      const wait = due - Date.now();
      if (wait > 0) await sleep(Math.min(Math.max(wait, TICK_MS), 100));
      else next += this.#due(due, total - next);
      if (this.#failed) throw this.#failed;
    }
    const rest = this.#start + seconds * 1000 - Date.now();
    for (let left = rest; left > 0 && !this.#stopped; left = this.#start + seconds * 1000 - Date.now())
      await sleep(Math.min(left, 100));
  }

  /** Waits until every outcome is known or given up, or `until` (Unix ms) has passed. Returns how many are not. */
  async quiet(until: number): Promise<number> {
    while (this.#underWay > 0 && Date.now() < until) await sleep(POLL_MS);
    if (this.#failed) throw this.#failed;
    return this.#underWay;
  }

  /** Offers what is due now. Returns how many commits that are. */
  #due(due: number, most: number): number {
    const { arrayShare, arraySize, content, inFlight, maxEvents } = this.#job;
    const { tally, sites, random, writer } = this.#m;
    // Arrays take as many turns as they have commits: so the share is one of commits, and the rate stays.
    const isArray = random.chance(arrayShare / (arraySize - arraySize * arrayShare + arrayShare));
    const count = isArray ? Math.min(arraySize, most) : 1;
    tally.offer(count);
    if (this.#underWay + count > inFlight) {
      tally.shed(count);
      return count;
    }
    if (tally.total >= maxEvents) {
      this.full = true;
      this.stop();
    }
    const site = random.pick(sites);
    const drafts = Array.from({ length: count }, () => site.drafts.next(content));
    this.#underWay += count;
    tally.open = this.#underWay;
    writer
      .send(site, drafts, due)
      .catch((error: unknown) => {
        this.#failed ??= error;
      })
      .finally(() => {
        this.#underWay -= count;
        tally.open = this.#underWay;
      });
    return count;
  }
}
