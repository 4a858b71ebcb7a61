import { claim } from '../../client/check.ts';
import type { TreeHead } from '../../client/heads.ts';
import type { Proofs } from '../../client/proofs.ts';
import { Replay } from '../../client/replay.ts';
import type { EncEvent, Inclusion } from '../../client/types.ts';
import { eventsRoot } from '../../protocol/bundle-tree.ts';
import { CtFrontier } from '../../protocol/ct.ts';
import { ctLeaf, ctLeafData } from '../../protocol/hash.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import type { Site } from './site.ts';

/** Leaves that are asked for ahead of the events. */
const AHEAD = 8;

/** Folds events into bundles, bundles into the log, and compares root and state of each. Stops at the first break. */
export class Chain {
  readonly #proofs: Proofs;
  readonly #sth: TreeHead;
  readonly #site: Site;
  readonly #replay = new Replay();
  readonly #log = new CtFrontier();
  readonly #ahead: Promise<Inclusion>[] = [];
  #asked = 0;
  #ids: Uint8Array[] = [];
  #next = 0;
  #time = 0;
  #broken = false;

  constructor(proofs: Proofs, sth: TreeHead, site: Site) {
    this.#proofs = proofs;
    this.#sth = sth;
    this.#site = site;
  }

  /** Throws Mismatch or NodeLied at the first event that does not follow; what comes after it says nothing more. */
  async take(event: EncEvent, head: number): Promise<void> {
    if (this.#broken) return;
    this.#broken = true;
    claim(event.seq === this.#next, `event ${this.#next} is missing, or out of order`);
    claim(event.timestamp >= this.#time, `event ${event.seq} is older than the one before it`);
    const target = this.#site.drafts.erased.get(event.seq);
    this.#replay.apply(event, head, () => ({ head: event.seq - 1, ctRoot: toHex(this.#log.root()) }), target);
    this.#ids.push(unhex(event.id));
    await this.#close(event.seq);
    this.#next++;
    this.#time = event.timestamp;
    this.#broken = false;
  }

  async finish(): Promise<void> {
    if (this.#broken) return;
    claim(
      this.#log.size === this.#sth.ts && this.#ids.length === 0,
      `the tree head covers ${this.#sth.ts} bundles, but the events make ${this.#log.size} and ${this.#ids.length} events more`,
    );
    claim(toHex(this.#log.root()) === this.#sth.r, 'the bundles do not add up to the root of the tree head');
    this.#replay.finish();
  }

  async #close(seq: number): Promise<void> {
    const leaf = await this.#leaf();
    if (leaf === undefined) return;
    const first = seq + 1 - this.#ids.length;
    claim(leaf.first_seq === first, `bundle ${leaf.li} begins at event ${leaf.first_seq}, not ${first}`);
    if (leaf.bundle_size !== this.#ids.length) return;
    claim(
      toHex(eventsRoot(this.#ids)) === leaf.events_root,
      `the events of bundle ${leaf.li} are not those in its root`,
    );
    const { stateHash } = this.#replay;
    claim(
      stateHash === null || stateHash === leaf.state_hash,
      `the state after bundle ${leaf.li} is not what its events add up to`,
    );
    this.#log.append(
      ctLeaf(ctLeafData(unhex(leaf.events_root), unhex(leaf.state_hash), leaf.first_seq, leaf.bundle_size)),
    );
    this.#ids = [];
    this.#ahead.shift();
  }

  async #leaf(): Promise<Inclusion | undefined> {
    while (this.#asked < this.#sth.ts && this.#ahead.length < AHEAD) {
      const asked = this.#proofs.inclusion({ leaf_index: this.#asked++ }, this.#sth);
      asked.catch(() => {}); // it is thrown where it is awaited
      this.#ahead.push(asked);
    }
    return this.#ahead[0];
  }
}
