import {
  type EnclaveParams,
  IC_ALG,
  IC_ECDSA,
  IC_TAGS,
  type Kernel,
  RECORD_CLOSING,
  RECORD_EVENT,
  RECORD_GENESIS,
} from '../../kernel/kernel.ts';
import type { Plain } from './commits.ts';
import { canon, type Pair } from './pair.ts';
import { closingFields, eventFields } from './records.ts';
import { hex } from './ring.ts';
import type { StoredEvent } from './store.ts';
import type { World } from './world.ts';

interface Checkpoint {
  readonly base: Uint8Array;
  readonly recents: Uint8Array;
  /** how many records of the log it covers */
  readonly covers: number;
}

/** Opens an enclave's history in fresh kernels, in every way there is, and compares with the live ones. */
export class History {
  readonly #world: World;
  readonly #pair: Pair;
  readonly #enclave: Uint8Array;
  #checkpoint: Checkpoint | null = null;

  constructor(world: World, pair: Pair, enclave: Uint8Array) {
    this.#world = world;
    this.#pair = pair;
    this.#enclave = enclave;
  }

  /** Fresh kernels that have read the log: replayed from its start, or from the last checkpoint on. */
  reopen(what: string, params: EnclaveParams): readonly [Kernel, Kernel] {
    const { random, coverage } = this.#world;
    const checkpoint = random.chance(0.5) ? this.#checkpoint : null;
    return this.#pair.fresh(what, (kernel, { store }) => {
      if (checkpoint) {
        kernel.load(params, checkpoint.base, [checkpoint.recents]);
        const { skeleton, content } = store.dump(checkpoint.covers);
        if (skeleton.length > 0) kernel.replay(skeleton, content);
        coverage.rule('load and tail');
      } else {
        kernel.create(params);
        const { skeleton, content } = store.dump();
        kernel.replay(skeleton, content);
      }
    })!;
  }

  /** Everything must be sealed. */
  check(params: EnclaveParams): void {
    const { random, coverage } = this.#world;
    const pair = this.#pair;
    if (pair.store.events.length === 0) return;
    this.#takeCheckpoint();
    const cross = random.chance(0.5);
    const erased = random.chance(0.5) ? this.#erased() : new Set<string>();
    const replayed = pair.fresh('replay', (kernel, side) => {
      kernel.create(params);
      const { store } = cross ? pair.sides[side === pair.sides[0] ? 1 : 0] : side;
      const { skeleton, content } = store.dump(0, erased);
      kernel.replay(skeleton, content);
    })!;
    coverage.rule('replay');
    if (cross) coverage.rule('cross replay');
    if (erased.size > 0) coverage.rule('replay erased');
    this.#sameAsLive('replay', replayed);
    let next = replayed;
    if (this.#checkpoint && pair.kernel.atBoundary) {
      const { base, recents } = this.#checkpoint;
      const loaded = pair.fresh('load', (kernel) => kernel.load(params, base, [recents]))!;
      coverage.rule('load');
      this.#sameAsLive('load', loaded);
      if (random.chance(0.5)) next = loaded;
    }
    this.#hostileBase(params);
    this.#fold(params, erased);
    if (random.chance(0.6)) {
      pair.adopt(next);
      coverage.rule('goes on in a loaded instance');
    }
  }

  #takeCheckpoint(): void {
    const { kernel, store } = this.#pair;
    if (!kernel.atBoundary) {
      this.#pair.both('exportBase inside a bundle', (side) => side.kernel.exportBase(), true);
      return;
    }
    const base = this.#pair.both('exportBase', (side) => side.kernel.exportBase().slice())!;
    const recents = this.#pair.both('exportRecents', (side) => side.kernel.exportRecents(0).slice())!;
    const from = this.#world.random.int(store.events.length);
    this.#pair.both('exportRecents from', (side) => side.kernel.exportRecents(from).slice());
    this.#checkpoint = { base, recents, covers: store.order.length };
  }

  #sameAsLive(what: string, kernels: readonly [Kernel, Kernel]): void {
    const live = this.#pair.kernel;
    const boundary = live.atBoundary;
    const shown = (kernel: Kernel): string =>
      [
        hex(kernel.stateHash()),
        canon(kernel.head()),
        kernel.status,
        kernel.dueAt,
        kernel.leaves,
        kernel.timestamp,
        kernel.atBoundary,
        boundary ? hex(kernel.exportBase()) : '',
        hex(kernel.exportRecents(0)),
      ].join('\n');
    const expected = shown(live);
    for (const kernel of kernels)
      if (shown(kernel) !== expected)
        throw new Error(
          `${what} in ${kernel.name} differs from the live kernel:\n${shown(kernel)}\n-- live --\n${expected}`,
        );
  }

  /** A checkpoint with a byte changed or cut off: both load it to the same state, or both refuse it. */
  #hostileBase(_params: EnclaveParams): void {
    const { random } = this.#world;
    if (!this.#checkpoint || random.chance(0.7)) return;
    const { base } = this.#checkpoint;
    const cut = base.slice(0, random.int(base.length));
    this.#pair.fresh('load a cut checkpoint', (kernel) => kernel.load(_params, cut, []), true);
  }

  /** Ids of events whose contents a log would have erased: deleted ones, and all Updates of them. */
  #erased(): Set<string> {
    const { events } = this.#pair.store;
    const gone = new Set(
      events.filter(({ name }) => name === 'Delete').map(({ record }) => hex(eventFields(record).target)),
    );
    for (const { name, record, id } of events)
      if (name === 'Update' && gone.has(hex(eventFields(record).target))) gone.add(id);
    return gone;
  }

  #fold(params: EnclaveParams, erased: ReadonlySet<string>): void {
    const { random, coverage, inspectors } = this.#world;
    const pair = this.#pair;
    if (pair.store.events.length > 400 && random.chance(0.7)) return;
    const ics = pair.store.events.map((event) => {
      const { kind, bytes } = inspectors.inspect(this.#snapshotCommit(event, erased.has(event.id)), 'snapshot');
      if (kind !== 'commit') throw new Error(`inspect refused a commit of a snapshot: ${event.name}`);
      return bytes;
    });
    const spoil = random.chance(0.15) ? random.int(ics.length) : -1;
    const results = pair.fresh(
      'fold',
      (kernel, { store }) => {
        kernel.create(params);
        let index = 0;
        for (const { record } of store.order) {
          if (record[4] === RECORD_EVENT) {
            const { timestamp, sequencer, seqSig, name, target } = eventFields(record);
            const id = store.events[index]!.id;
            const first = store.order[1]?.record;
            const head =
              name === 'Manifest' && first?.[4] === RECORD_GENESIS ? closingFields(first).sthSig.slice() : undefined;
            const wanted = name === 'Update' && erased.has(id) ? target.slice() : head;
            const code = kernel.fold(
              ics[index]!,
              timestamp + (spoil === index ? 700_000 : 0),
              sequencer.slice(),
              seqSig.slice(),
              wanted,
            );
            if (code !== 0) {
              if (spoil < 0) throw new Error(`fold refused ${name} at ${index} with ${code}`);
              return;
            }
            index++;
          } else if (record[4] === RECORD_CLOSING) {
            const { t, sthSig } = closingFields(record);
            const code = kernel.foldClosing(t, sthSig.slice());
            if (code !== 0 && spoil < 0) throw new Error(`foldClosing refused with ${code}`);
          }
        }
      },
      spoil >= 0,
    );
    if (!results || spoil >= 0) return;
    coverage.rule('fold');
    const [a, b] = results.map((kernel) => kernel.takeFolded()) as [
      ReturnType<Kernel['takeFolded']>,
      ReturnType<Kernel['takeFolded']>,
    ];
    for (const key of ['events', 'closings', 'firstSeq', 'timestamp'] as const)
      if (a[key] !== b[key]) throw new Error(`takeFolded: ${key} ${a[key]} and ${b[key]}`);
    for (const key of ['skeleton', 'content', 'receipts'] as const)
      if (hex(a[key]) !== hex(b[key]))
        throw new Error(`takeFolded: ${key} differs:\n${hex(a[key]).slice(0, 2000)}\n${hex(b[key]).slice(0, 2000)}`);
    if (canon(a.head) !== canon(pair.kernel.head())) throw new Error('fold: another head than the live kernel');
    if (hex(results[0].stateHash()) !== hex(pair.kernel.stateHash()))
      throw new Error('fold: another state than the live kernel');
  }

  #snapshotCommit({ record, content }: StoredEvent, erased: boolean): Uint8Array {
    const { hash, from, name, exp, tags, flags, sig, contentHash } = eventFields(record);
    const fields: { [key: string]: Plain } = {
      hash: hex(hash),
      enclave: hex(this.#enclave),
      from: hex(from),
      type: name,
      content: null,
      ...(erased && { content_hash: hex(contentHash) }),
      exp,
      ...(flags & IC_TAGS && { tags: JSON.parse(tags) as Plain }),
      ...(flags & IC_ALG && { alg: flags & IC_ECDSA ? 'ecdsa' : 'schnorr' }),
      sig: hex(sig),
    };
    const body = erased ? 'null' : Buffer.from(content).toString('utf8');
    // The content goes in as the bytes that the log holds: it must hash to the same value again.
    const text = Object.entries(fields)
      .map(([key, value]) => `${JSON.stringify(key)}:${key === 'content' ? body : JSON.stringify(value)}`)
      .join(',');
    return new Uint8Array(Buffer.from(`{${text}}`, 'utf8'));
  }
}
