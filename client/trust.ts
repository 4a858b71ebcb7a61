import { claim, told } from './check.ts';
import type { Remembered, Term, TreeHead, TreeHeadStore } from './heads.ts';

/** What answers say of one event, wherever it shows up. */
export interface Sighting {
  readonly seq: number;
  readonly id: string;
  readonly hash: string;
  readonly timestamp: number;
  readonly sequencer: string;
}

const SIGHTINGS = 65_536;

/**
 * All that is known of one enclave's history: who signs which events, the newest tree head, the highest event, and the
 * last events seen (65,536 unless told otherwise). Every answer is held against it, so that a node can't contradict itself from one answer to
 * the next, nor, with a lasting store, from one day to the next.
 */
export class Trust {
  readonly enclave: string;
  private readonly store: TreeHeadStore;
  private readonly sightings: number;
  private known: Remembered | undefined;
  private readonly bySeq = new Map<number, Sighting>();
  private readonly byHash = new Map<string, number>();
  private dirty = false;

  constructor(enclave: string, store: TreeHeadStore, sightings = SIGHTINGS) {
    this.enclave = enclave;
    this.store = store;
    this.sightings = sightings;
  }

  async load(): Promise<void> {
    this.known ??= await this.store.get(this.enclave);
  }

  async save(): Promise<void> {
    if (!this.dirty || !this.known) return;
    this.dirty = false;
    await this.store.put(this.enclave, this.known);
  }

  get terms(): readonly Term[] {
    return this.known?.terms ?? [];
  }

  get source(): Remembered['source'] | undefined {
    return this.known?.source;
  }

  get sth(): TreeHead | undefined {
    return this.known?.sth;
  }

  get head(): Remembered['head'] {
    return this.known?.head;
  }

  /** Who signs now; undefined until `pin`. */
  get sequencer(): string | undefined {
    return this.terms.at(-1)?.sequencer;
  }

  /** Who signs event `seq`. */
  sequencerAt(seq: number): string | undefined {
    return this.terms.findLast((term) => term.since <= seq)?.sequencer;
  }

  /** Sets the first sequencer, once. */
  pin(sequencer: string, source: Remembered['source']): void {
    if (this.known) return;
    this.known = { terms: [{ sequencer, since: 0 }], source };
    this.dirty = true;
  }

  /** The Manifest names its own sequencer: what was merely seen first is so confirmed. */
  confirm(): void {
    if (this.known?.source !== 'first-seen') return;
    this.known = { ...this.known, source: 'manifest' };
    this.dirty = true;
  }

  /** The successor that a verified Migrate event at `seq`, signed by the current sequencer, names. */
  succeed(sequencer: string, seq: number): void {
    if (!this.known) return;
    this.known = { ...this.known, terms: [...this.known.terms, { sequencer, since: seq + 1 }] };
    this.dirty = true;
  }

  /** A tree head that was checked, and found consistent with the one before. */
  advance(sth: TreeHead): void {
    if (!this.known || (this.known.sth && this.known.sth.ts >= sth.ts)) return;
    this.known = { ...this.known, sth };
    this.dirty = true;
  }

  /**
   * Holds an event or receipt whose signatures have been checked against all that was seen before: its sequencer's
   * term, no second event under one seq (a proof of equivocation), no second event for one commit, time in step with
   * seq. Throws NodeLied.
   */
  note(call: string, seen: Sighting): void {
    told(call, { seen, before: this.bySeq.get(seen.seq) ?? this.head }, () => {
      const expected = this.sequencerAt(seen.seq);
      claim(
        expected === undefined || seen.sequencer === expected,
        `event ${seen.seq} is signed by ${seen.sequencer}, but the enclave's sequencer is ${expected}`,
      );
      const before = this.bySeq.get(seen.seq);
      claim(!before || before.id === seen.id, `the node showed two different events ${seen.seq} (equivocation)`);
      const twin = this.byHash.get(seen.hash);
      claim(
        twin === undefined || twin === seen.seq,
        `one commit was accepted twice, as events ${twin} and ${seen.seq}`,
      );
      const { head } = this;
      if (!head) return;
      claim(
        seen.seq !== head.seq || seen.id === head.id,
        `the node showed two different events ${seen.seq} (equivocation)`,
      );
      claim(
        seen.seq <= head.seq || seen.timestamp >= head.timestamp,
        `event ${seen.seq} is older than event ${head.seq} before it`,
      );
      claim(
        seen.seq >= head.seq || seen.timestamp <= head.timestamp,
        `event ${seen.seq} is younger than event ${head.seq} after it`,
      );
    });
    this.remember(seen);
  }

  private remember(seen: Sighting): void {
    if (!this.bySeq.has(seen.seq)) {
      const { seq, id, hash, timestamp, sequencer } = seen;
      this.bySeq.set(seq, { seq, id, hash, timestamp, sequencer });
      this.byHash.set(hash, seq);
      if (this.bySeq.size > this.sightings) this.forgetOldest();
    }
    if (!this.known || (this.known.head && this.known.head.seq >= seen.seq)) return;
    this.known = { ...this.known, head: { seq: seen.seq, id: seen.id, timestamp: seen.timestamp } };
    this.dirty = true;
  }

  private forgetOldest(): void {
    const [seq, oldest] = this.bySeq.entries().next().value as [number, Sighting];
    this.bySeq.delete(seq);
    this.byHash.delete(oldest.hash);
  }

  /** What was seen under this seq, if it is still remembered. */
  seen(seq: number): Sighting | undefined {
    return this.bySeq.get(seq);
  }
}
