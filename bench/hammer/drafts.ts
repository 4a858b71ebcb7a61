import type { Key } from '../../client/keys.ts';
import type { Receipt } from '../../client/types.ts';
import type { Random } from '../../test/faults/random.ts';

/** What somebody is about to say in one enclave. */
export interface Draft {
  readonly by: Key;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  /** The note that it changes, and when that was acknowledged, Unix ms. */
  readonly target?: { readonly id: string; readonly known: number };
  /** Told of the outcome, once: the receipt, or null if it never was accepted. */
  settled(receipt: Receipt | null): void;
}

/** A note that can be changed by its author. */
interface Target {
  readonly id: string;
  readonly by: Key;
  /** when its receipt came, Unix ms */
  readonly known: number;
  /** seq of its Updates */
  readonly updates: number[];
}

/** Shares of what is committed; the rest are new notes. */
const SHARES = { update: 0.05, delete: 0.02, own: 0.05, shared: 0.03 } as const;
const TARGETS = 64;
const SHARED_KEYS = 8;
export const OWN_KEY = 'last';
export const sharedKey = (n: number): string => `slot-${n % SHARED_KEYS}`;

const FILLER = 'An enclave remembers what was said in it. ';

/**
 * Draws commits that the Manifest allows (people.ts): notes of many sizes, changes of notes by their authors, slots. A note
 * has at most one change under way, so that no commit depends on an order that nobody promised.
 */
export class Drafts {
  readonly #authors: readonly Key[];
  readonly #random: Random;
  readonly #targets: Target[] = [];
  /** Seq of Updates whose content went with their note's: the note. */
  readonly erased = new Map<number, string>();
  #serial = 0;

  constructor(authors: readonly Key[], random: Random) {
    this.#authors = authors;
    this.#random = random;
  }

  next(size: { readonly min: number; readonly max: number }): Draft {
    const random = this.#random;
    const n = ++this.#serial;
    let dice = random.next();
    if (dice < SHARES.update && this.#targets.length > 0) return this.#update(n, size);
    dice -= SHARES.update;
    if (dice >= 0 && dice < SHARES.delete && this.#targets.length > 0) return this.#delete(n);
    dice -= SHARES.delete;
    const by = random.pick(this.#authors);
    if (dice >= 0 && dice < SHARES.own)
      return { by, type: 'Own', content: { key: OWN_KEY, value: n }, settled: () => {} };
    dice -= SHARES.own;
    if (dice >= 0 && dice < SHARES.shared)
      return { by, type: 'Shared', content: { key: sharedKey(n), value: n }, settled: () => {} };
    const settled = (receipt: Receipt | null): void => {
      if (receipt) this.#keep({ id: receipt.id, by, known: Date.now(), updates: [] });
    };
    return { by, type: 'note', content: { n, text: this.#text(size) }, settled };
  }

  #update(n: number, size: { readonly min: number; readonly max: number }): Draft {
    const target = this.#take();
    return {
      by: target.by,
      type: 'Update',
      target,
      content: { target: target.id, content: { n, text: this.#text(size) } },
      settled: (receipt) => {
        if (receipt) target.updates.push(receipt.seq);
        this.#keep(target);
      },
    };
  }

  #delete(n: number): Draft {
    const target = this.#take();
    return {
      by: target.by,
      type: 'Delete',
      target,
      content: { target: target.id, n },
      settled: (receipt) => {
        if (receipt) for (const seq of target.updates) this.erased.set(seq, target.id);
        else this.#keep(target);
      },
    };
  }

  #text({ min, max }: { readonly min: number; readonly max: number }): string {
    // Most contents are short: the logarithm of the length is uniform.
    const length = Math.round(Math.exp(Math.log(min + 1) + this.#random.next() * Math.log((max + 1) / (min + 1)))) - 1;
    return FILLER.repeat(Math.ceil(length / FILLER.length)).slice(0, length);
  }

  #keep(target: Target): void {
    if (this.#targets.length < TARGETS) this.#targets.push(target);
    else this.#targets[this.#random.int(0, TARGETS - 1)] = target;
  }

  #take(): Target {
    const at = this.#random.int(0, this.#targets.length - 1);
    const [target] = this.#targets.splice(at, 1);
    return target as Target;
  }
}
