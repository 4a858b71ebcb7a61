import { eventsRoot } from '../protocol/bundle-tree.ts';
import { CtFrontier } from '../protocol/ct.ts';
import { ctLeaf, ctLeafData } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { claim, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import type { TreeHead } from './heads.ts';
import type { Proofs } from './proofs.ts';
import { pull } from './reading.ts';
import { Replay } from './replay.ts';
import type { EncEvent, Inclusion } from './types.ts';

export interface VerifyProgress {
  readonly events: number;
  /** The node's head plus one. */
  readonly total: number;
  readonly perSecond: number;
}

export interface VerifyOptions {
  readonly progress?: ((progress: VerifyProgress) => void) | undefined;
  readonly pageSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface VerifyReport {
  readonly enclave: string;
  readonly events: number;
  /** Closed bundles, all of them checked up to `sth`. */
  readonly bundles: number;
  /** Events behind the last of these bundles: signed, not yet in the log of the tree head. */
  readonly open: number;
  /** Bundles whose state hash could not be compared, because an Update in them was erased with its target. */
  readonly statesSkipped: number;
  readonly sequencers: readonly string[];
  readonly sth: TreeHead;
  readonly seconds: number;
  readonly perSecond: number;
}

/** Leaves that are asked for ahead of the events. */
const AHEAD = 8;

/**
 * Checks an enclave from its first event (PROTOCOL §3–§7): every event's hashes and both signatures, seq without gap,
 * time, the sequencer's terms, that the rules allow each event, the root and state hash of each bundle, and the root
 * of the log against the signed tree head, which must continue the one remembered. Needs a key that reads everything;
 * what it may not read counts as missing. Throws NodeLied at the first thing that does not check.
 */
export async function verifyEnclave(
  talk: Conversation,
  proofs: Proofs,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const started = talk.clock.now();
  const sth = await proofs.sth();
  const audit = new Audit(proofs, sth);
  let head = -1;
  let events = 0;
  const speed = (): number => Math.round((events * 1000) / Math.max(1, talk.clock.now() - started));
  const pages = pull(talk, {
    complete: true,
    pageSize: options.pageSize,
    signal: options.signal,
    onHead: (at) => (head = Math.max(head, at)),
  });
  for await (const event of pages) {
    await audit.take(event, head);
    events++;
    if (events % 100 === 0) options.progress?.({ events, total: Math.max(head + 1, events), perSecond: speed() });
  }
  audit.finish();
  options.progress?.({ events, total: events, perSecond: speed() });
  return {
    enclave: talk.enclave,
    events,
    bundles: sth.ts,
    open: audit.open,
    statesSkipped: audit.statesSkipped,
    sequencers: talk.trust.terms.map((term) => term.sequencer),
    sth,
    seconds: (talk.clock.now() - started) / 1000,
    perSecond: speed(),
  };
}

/** Folds events into bundles, bundles into the log, and compares each root on the way. */
class Audit {
  private readonly proofs: Proofs;
  private readonly sth: TreeHead;
  private readonly replay = new Replay();
  private readonly log = new CtFrontier();
  private readonly ahead: Promise<Inclusion>[] = [];
  private asked = 0;
  private ids: Uint8Array[] = [];
  private last: EncEvent | undefined;
  statesSkipped = 0;

  constructor(proofs: Proofs, sth: TreeHead) {
    this.proofs = proofs;
    this.sth = sth;
  }

  get open(): number {
    return this.ids.length;
  }

  async take(event: EncEvent, head: number): Promise<void> {
    const { last } = this;
    told('Pull', event, () => {
      claim(event.seq === (last?.seq ?? -1) + 1, `event ${(last?.seq ?? -1) + 1} is missing`);
      claim(!last || event.timestamp >= last.timestamp, `event ${event.seq} is older than the one before it`);
      this.replay.apply(event, head, () => ({ head: event.seq - 1, ctRoot: toHex(this.log.root()) }));
    });
    this.last = event;
    this.ids.push(unhex(event.id));
    if (this.log.size < this.sth.ts) await this.close(event.seq);
  }

  finish(): void {
    told('Pull', this.sth, () => {
      claim(
        this.log.size === this.sth.ts,
        `the tree head covers ${this.sth.ts} bundles, but the events end in bundle ${this.log.size}`,
      );
      claim(toHex(this.log.root()) === this.sth.r, 'the bundles do not add up to the root of the tree head');
      this.replay.finish();
    });
  }

  /** Closes the bundle if `seq` is its last event. */
  private async close(seq: number): Promise<void> {
    const leaf = await this.nextLeaf();
    told('inclusion', leaf, () => {
      const first = seq + 1 - this.ids.length;
      claim(
        leaf.first_seq === first,
        `bundle ${leaf.li} begins at event ${leaf.first_seq}, but the one before it ended at ${first - 1}`,
      );
      const { size } = this.replay.manifest;
      claim(
        leaf.bundle_size <= size,
        `bundle ${leaf.li} holds ${leaf.bundle_size} events, but the Manifest allows ${size}`,
      );
      if (leaf.bundle_size !== this.ids.length) return;
      claim(
        toHex(eventsRoot(this.ids)) === leaf.events_root,
        `the events of bundle ${leaf.li} are not those in its root`,
      );
      const { stateHash } = this.replay;
      if (stateHash === null) this.statesSkipped++;
      else claim(stateHash === leaf.state_hash, `the state after bundle ${leaf.li} is not what its events add up to`);
      this.log.append(
        ctLeaf(ctLeafData(unhex(leaf.events_root), unhex(leaf.state_hash), leaf.first_seq, leaf.bundle_size)),
      );
      this.ids = [];
      this.ahead.shift();
    });
  }

  private async nextLeaf(): Promise<Inclusion> {
    while (this.asked < this.sth.ts && this.ahead.length < AHEAD) {
      const asked = this.proofs.inclusion({ leaf_index: this.asked++ }, this.sth);
      asked.catch(() => {}); // it is thrown where it is awaited
      this.ahead.push(asked);
    }
    return this.ahead[0] as Promise<Inclusion>;
  }
}
