import { claim, Mismatch } from '../../client/check.ts';
import { type Clock, systemClock } from '../../client/clock.ts';
import { Conversation } from '../../client/conversation.ts';
import { EncError, NodeLied, Refused } from '../../client/errors.ts';
import { MemoryHeads, type TreeHead } from '../../client/heads.ts';
import { Proofs, type StateKey } from '../../client/proofs.ts';
import { BACKOFF, isPassing } from '../../client/retry.ts';
import type { Secp } from '../../client/secp.ts';
import type { Transport } from '../../client/transport.ts';
import { Trust } from '../../client/trust.ts';
import type { EncEvent } from '../../client/types.ts';
import { checkEvent } from '../../client/verify-event.ts';
import { Chain } from './chain.ts';
import type { FindingKind, Findings } from './findings.ts';
import { STALE_MS } from './settings.ts';
import type { Site } from './site.ts';

export interface ReadBack {
  readonly events: number;
  readonly bundles: number;
  /** places of the state tree that were proved to hold what the events add up to */
  readonly states: number;
  /** tree heads from the run that the last one was proved to continue */
  readonly heads: number;
}

export interface ReadingBackModules {
  readonly transport: Transport;
  readonly secp: Secp;
  readonly findings: Findings;
  /** told of every page */
  readonly progress: (events: number) => void;
}

const PAGE = 1000;
const POLL_MS = 200;
/** Refusals that time may mend. */
const WAITED_FOR = new Set(['bundle_open', 'enclave_regressed']);

/**
 * Reads one enclave back from its first event, as somebody who was never there: no memory of the SDK is used, only the
 * ledger is compared. Everything is checked that `Enclave.verify` checks, but a fault is written down and the reading goes
 * on, so that all of them are found. Throws EncError if the node does not serve it until `until` (Unix ms).
 */
export async function readBack(site: Site, until: number, modules: ReadingBackModules): Promise<ReadBack> {
  const back = new ReadingBack(site, until, modules);
  return back.run();
}

class ReadingBack {
  readonly #site: Site;
  readonly #m: ReadingBackModules;
  readonly #talk: Conversation;
  readonly #proofs: Proofs;
  readonly #until: number;
  readonly #clock: Clock = systemClock;
  readonly #hashes = new Set<string>();
  /** hash of the last commit to each slot, as replayed */
  readonly #slots = new Map<string, { key: StateKey; hash: string }>();
  /** by seq, of what was known when the reading began: 1 if it is there */
  readonly #found: Uint8Array;
  #events = 0;

  constructor(site: Site, until: number, modules: ReadingBackModules) {
    this.#site = site;
    this.#until = until;
    this.#m = modules;
    const { transport, secp } = modules;
    this.#talk = new Conversation(
      { key: site.reader.key, sequencer: site.sequencer, retryMs: Math.max(0, until - Date.now()), backoff: BACKOFF },
      { transport, secp, trust: new Trust(site.id, new MemoryHeads(), 0), clock: this.#clock },
    );
    this.#proofs = new Proofs(this.#talk);
    this.#found = new Uint8Array(site.ledger.length);
  }

  async run(): Promise<ReadBack> {
    const { sth, end } = await this.#covered();
    const chain = new Chain(this.#proofs, sth, this.#site);
    await this.#walk(chain, end);
    this.#missing();
    await this.#check(() => chain.finish());
    const states = (await this.#check(() => this.#states())) ?? 0;
    const heads = (await this.#check(() => this.#heads(sth))) ?? 0;
    return { events: this.#events, bundles: sth.ts, states, heads };
  }

  /**
   * A tree head that speaks for every event that is known, and the last event of its last bundle: how far is read. What is
   * accepted later is no part of it.
   */
  async #covered(): Promise<{ sth: TreeHead; end: number }> {
    const known = this.#found.length - 1;
    const stale = Date.now() + STALE_MS;
    for (;;) {
      try {
        const { head } = await this.#talk.info();
        if (head >= known || Date.now() > stale) {
          await this.#proofs.event({ seq: head });
          const sth = await this.#proofs.sth();
          const last = await this.#proofs.inclusion({ leaf_index: sth.ts - 1 }, sth);
          return { sth, end: last.first_seq + last.bundle_size - 1 };
        }
      } catch (error) {
        if (!(error instanceof Refused && WAITED_FOR.has(error.code)) || Date.now() > this.#until) throw error;
      }
      await this.#clock.sleep(POLL_MS);
    }
  }

  /** All events up to `end`, in order. */
  async #walk(chain: Chain, end: number): Promise<void> {
    for (let after = -1; after < end; ) {
      if (Date.now() > this.#until)
        throw new EncError('unread', `there was no time for what comes after event ${after}`);
      const limit = Math.min(PAGE, end - after);
      const page = (await this.#talk.askAs('/', { type: 'Pull', after_seq: after, limit })) as {
        events?: unknown[];
        head?: number;
      };
      if (!Array.isArray(page.events) || page.events.length > limit || typeof page.head !== 'number')
        throw new NodeLied('Pull', 'it is not a page of events', page);
      for (const value of page.events) {
        await this.#check(async () => {
          const event = checkEvent(value, this.#site.id, this.#m.secp);
          claim(event.sequencer === this.#site.sequencer, `event ${event.seq} is signed by another sequencer`);
          this.#compare(event);
          if (event.seq <= end) await chain.take(event, page.head as number);
        }, value);
      }
      this.#events += page.events.length;
      this.#m.progress(page.events.length);
      const last = (page.events.at(-1) as { seq?: unknown } | undefined)?.seq;
      if (typeof last !== 'number' || last <= after)
        return this.#say('proof', `the events end at ${after}, but ${end} is in the tree`);
      after = last;
    }
  }

  /** One event against the ledger, and against those before it. */
  #compare(event: EncEvent): void {
    const { ledger, open, undecided, disputed } = this.#site;
    const { seq, id, hash } = event;
    const short = Buffer.from(hash, 'hex').toString('latin1', 0, 16);
    if (this.#hashes.has(short))
      this.#say('duplicate', `commit ${hash} is there twice, the second time as event ${seq}`, event);
    this.#hashes.add(short);
    // Found in the log: that is what became of it.
    undecided.delete(hash);
    const isOpen = open.has(hash);
    const known = ledger.id(seq);
    if (known === id) this.#found[seq] = 1;
    else if (known !== null)
      this.#say('proof', `event ${seq} is ${id}, but ${known} was shown before (equivocation)`, event);
    if (!ledger.isAcknowledged(seq) && !isOpen && !disputed.has(hash))
      this.#say('proof', `event ${seq} (${hash}) was refused, or has expired, or was never sent`, event);
    if (event.type === 'Own' || event.type === 'Shared') {
      const { key } = event.content as { key: string };
      const place: StateKey = event.type === 'Own' ? { own: key, from: event.from } : { shared: key };
      this.#slots.set(JSON.stringify(place), { key: place, hash });
    }
  }

  #missing(): void {
    const { ledger } = this.#site;
    for (let seq = 0; seq < this.#found.length; seq++) {
      if (this.#found[seq] === 1) continue;
      if (ledger.isAcknowledged(seq))
        this.#say('lost', `the acknowledged event ${seq} (${ledger.id(seq)}) is not there`);
      else if (ledger.id(seq) !== null)
        this.#say('proof', `event ${seq} (${ledger.id(seq)}) was shown and is not there any more`);
    }
  }

  /** Every slot holds what the last event for it says. Returns how many there are. */
  async #states(): Promise<number> {
    const slots = [...this.#slots.values()];
    const proved = await this.#proofs.stateBatch(slots.map(({ key }) => key));
    for (const [i, { key, hash }] of slots.entries())
      claim(
        proved[i]?.value === hash,
        `the state tree holds ${proved[i]?.value} at ${JSON.stringify(key)}, not ${hash}`,
      );
    return slots.length;
  }

  /** Each tree head of the run is a beginning of the next, and the last one of the one that speaks for all events. */
  async #heads(last: TreeHead): Promise<number> {
    const heads = [...this.#site.heads].sort((a, b) => a.ts - b.ts);
    for (const [i, older] of heads.entries()) await this.#proofs.consistency(older, heads[i + 1] ?? last);
    return heads.length;
  }

  #say(kind: FindingKind, what: string, evidence?: unknown): void {
    this.#m.findings.add(kind, this.#site.id, what, evidence);
  }

  /** What does not check is a finding; what the node does not answer goes up. */
  async #check<T>(work: () => Promise<T>, evidence?: unknown): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Mismatch) this.#say('proof', error.message, evidence);
      else if (error instanceof NodeLied) this.#say('proof', `${error.call}: ${error.what}`, error.evidence);
      else if (error instanceof EncError && !isPassing(error))
        this.#say('refused', `reading back was refused: ${error.code}`);
      else throw error;
      return undefined;
    }
  }
}
