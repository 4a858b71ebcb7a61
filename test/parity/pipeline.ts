import type { Model } from './model.ts';
import type { Pair } from './pair.ts';
import { closingFields, eventFields, split } from './records.ts';
import { hex, type Identity, sign } from './ring.ts';
import type { World } from './world.ts';

const MAX_IN_FLIGHT = 3;

/** begin, stage*, end and seal of both kernels, with up to three batches staged and unsealed. */
export class Pipeline {
  readonly #world: World;
  readonly #pair: Pair;
  readonly #model: Model;
  readonly #enclave: Uint8Array;
  /** whose key signs events */
  sequencer: Identity;
  /** T of the open batch */
  t = 0;
  /** last sealed seq */
  sealed = -1;
  /** the next event sealed is the first of a new sequencer */
  takenOver = false;
  #open = false;
  #byHand = false;
  readonly #pending: Uint8Array[] = [];

  constructor(world: World, pair: Pair, model: Model, enclave: Uint8Array, sequencer: Identity) {
    this.#world = world;
    this.#pair = pair;
    this.#model = model;
    this.#enclave = enclave;
    this.sequencer = sequencer;
  }

  /** Nothing is staged that is not sealed. */
  get settled(): boolean {
    return !this.#open && this.#pending.length === 0;
  }

  /** Opens a batch unless one is open. */
  begin(now: number): void {
    if (this.#open) return;
    if (this.#pending.length === MAX_IN_FLIGHT) this.seal();
    this.#pair.both('begin', ({ kernel }) => kernel.begin(now));
    this.#open = true;
    this.t = Math.max(now, this.#pair.kernel.timestamp);
    this.#pair.compareState('begin');
  }

  end(): void {
    if (!this.#open) return;
    const hashes = this.#pair.both('end', ({ kernel }) => kernel.end().slice())!;
    const signatures = new Uint8Array((hashes.length / 32) * 64);
    for (let i = 0; i < hashes.length / 32; i++) {
      signatures.set(sign(this.sequencer, hashes.subarray(i * 32, i * 32 + 32)), i * 64);
    }
    this.#pending.push(signatures);
    this.#open = false;
    if (this.#pending.length === MAX_IN_FLIGHT) this.#world.coverage.rule('three batches in flight');
  }

  /** Seals the oldest batch, if one waits. */
  seal(): void {
    const signatures = this.#pending.shift();
    if (!signatures) return;
    const sealed = this.#pair.both('seal', ({ kernel, store }) => {
      store.sealing = true;
      const { events, closings, firstSeq, head, timestamp, ...views } = kernel.seal(signatures);
      store.sealing = false;
      const [skeleton, content] = [views.skeleton.slice(), views.content.slice()];
      store.add({ skeleton, content });
      const receipts = views.receipts.slice();
      return {
        events,
        closings,
        firstSeq,
        head,
        timestamp,
        skeleton,
        content,
        receipts,
        offsets: views.offsets.slice(),
      };
    })!;
    let index = 0;
    for (const record of split(sealed.skeleton)) {
      if (record[4] === 1) this.#closed(record);
      if (record[4] !== 0) continue;
      this.#released(record, sealed.receipts.subarray(sealed.offsets[index]!, sealed.offsets[index + 1]!));
      index++;
    }
    this.#pair.compareState('seal');
  }

  /** Closes the open bundle, and with it the batch. */
  close(now: number): void {
    this.begin(now);
    if (this.#pair.both('closeBundle', ({ kernel }) => kernel.closeBundle())) this.#byHand = true;
    this.#pair.compareState('closeBundle');
    this.end();
  }

  settle(): void {
    this.end();
    while (this.#pending.length > 0) this.seal();
  }

  #released(record: Uint8Array, receipt: Uint8Array): void {
    const { coverage, inspectors, random } = this.#world;
    const { seq, id, name, from } = eventFields(record);
    this.sealed = seq;
    this.#model.targets.set(hex(id), { type: name, from: hex(from), seq, updated: false, deleted: false });
    if (random.chance(0.2) && hex(inspectors.receipt(this.#enclave, record)) !== hex(receipt)) {
      throw new Error('receipt() differs from the receipt of seal');
    }
    if (this.takenOver) coverage.rule('take-over: first event');
    this.takenOver = false;
  }

  #closed(record: Uint8Array): void {
    const { coverage } = this.#world;
    const { size, firstSeq, t } = closingFields(record);
    const last = this.#pair.store.events[firstSeq + size - 1]!;
    if (last.name === 'Migrate' || last.name === 'Terminate') coverage.rule('bundle closed by lifecycle');
    else if (size === this.#model.manifest.size) coverage.rule('bundle closed by size');
    else if (t >= eventFields(this.#pair.store.events[firstSeq]!.record).timestamp + this.#model.manifest.timeout) {
      coverage.rule('bundle closed by time');
    } else if (this.#byHand) coverage.rule('bundle closed by hand');
  }
}
