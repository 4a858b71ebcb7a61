import { sha256 } from '@noble/hashes/sha2.js';
import { eventsRoot } from '../protocol/bundle-tree.ts';
import { equalBytes } from '../protocol/bytes.ts';
import { type Cbor, type CborMap, isCborArray, isCborMap } from '../protocol/cbor.ts';
import { type Commit as ParsedCommit, parseCommit } from '../protocol/commit.ts';
import { CtFrontier } from '../protocol/ct.ts';
import { eventHashOf, verifyEvent } from '../protocol/event.ts';
import { ctLeaf, ctLeafData, eventId } from '../protocol/hash.ts';
import { type EventId, hex32, hex64, toHex, unhex } from '../protocol/hex.ts';
import { isObject, parseJson, toPlain } from '../protocol/json.ts';
import { cborItems } from './cbor-items.ts';
import { claim, isSeq, Mismatch } from './check.ts';
import { NodeLied } from './errors.ts';
import type { TreeHead } from './heads.ts';
import { Replay } from './replay.ts';
import { nobleSecp, type Secp } from './secp.ts';
import { Succession } from './succession.ts';
import type { EncEvent } from './types.ts';
import { checkTreeHead } from './verify-tree.ts';

export interface SnapshotOptions {
  readonly enclave: string;
  /** The first sequencer, if the Manifest does not name it and you know it. */
  readonly sequencer?: string | undefined;
  readonly secp?: Secp | undefined;
  readonly progress?: ((events: number, total: number) => void) | undefined;
}

export interface SnapshotReport {
  readonly enclave: string;
  readonly events: number;
  readonly bundles: number;
  readonly head: number;
  /** The first sequencer, and whether the Manifest names it; if not, somebody must say that it is the right one. */
  readonly sequencer: string;
  readonly named: boolean;
  readonly sth: TreeHead;
}

/**
 * Checks an `.enc` file (PROTOCOL §10) while it goes by: every signature, hash, rule, root, the tree head and the file's
 * sum. Yields the bytes unchanged; returns the report at the end, or throws NodeLied. So what was written by then is not
 * to be used before the generator has ended well.
 */
export async function* checkSnapshot(
  source: AsyncIterable<Uint8Array>,
  options: SnapshotOptions,
): AsyncGenerator<Uint8Array, SnapshotReport, undefined> {
  const reader = new Reader(options);
  const passing: Uint8Array[] = [];
  async function* tap(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      passing.push(chunk);
      yield chunk;
    }
  }
  try {
    for await (const { value, bytes } of cborItems(tap())) {
      yield* passing.splice(0);
      reader.take(value, bytes);
    }
    yield* passing.splice(0);
    return reader.end();
  } catch (error) {
    if (error instanceof Mismatch) throw new NodeLied('snapshot', error.message);
    throw error;
  }
}

class Reader {
  private readonly options: SnapshotOptions;
  private readonly secp: Secp;
  private readonly sum = sha256.create();
  private readonly replay = new Replay();
  private readonly log = new CtFrontier();
  private header: { sequencer: Uint8Array; head: number; bundles: number } | undefined;
  private ids: Uint8Array[] = [];
  private events = 0;
  private readonly succession: Succession;
  private sth: TreeHead | undefined;

  constructor(options: SnapshotOptions) {
    this.options = options;
    this.secp = options.secp ?? nobleSecp;
    this.succession = new Succession(options.sequencer);
  }

  take(value: Cbor, bytes: Uint8Array): void {
    claim(!this.sth, 'something stands behind the end of the file');
    if (!this.header) this.begin(value);
    else if (isCborArray(value) && value[0] === 0) this.event(value);
    else if (isCborArray(value) && value[0] === 1) this.closing(value);
    else if (isCborArray(value) && value[0] === 2) this.finish(value);
    else claim(false, 'an item of the file is malformed');
    this.sum.update(bytes);
  }

  end(): SnapshotReport {
    const { header, sth } = this;
    claim(header && sth, 'the file ends early');
    return {
      enclave: this.options.enclave,
      events: this.events,
      bundles: header.bundles,
      head: header.head,
      sequencer: this.succession.first,
      named: this.succession.named,
      sth,
    };
  }

  private begin(value: Cbor): void {
    claim(isCborMap(value) && value.get('format') === 'enc-snapshot', 'it is no snapshot');
    claim(value.get('v') === 1, 'it is a snapshot of another version');
    claim(hexOf(value.get('enclave'), 32) === this.options.enclave, 'it is a snapshot of another enclave');
    const [head, bundles] = [value.get('head'), value.get('bundles')];
    claim(isSeq(head) && isSeq(bundles), 'the header is malformed');
    this.header = {
      sequencer: unhex(hexOf(value.get('sequencer'), 32)),
      head: head as number,
      bundles: bundles as number,
    };
  }

  private event(item: readonly Cbor[]): void {
    const [, text, timestamp, seq, sequencer, seqSig, target] = item;
    claim(item.length === 6 || item.length === 7, 'an event of the file is malformed');
    claim(seq === this.events, `event ${this.events} is missing`);
    claim(text instanceof Uint8Array && isSeq(timestamp), `event ${seq} is malformed`);
    const json = parseJson(text);
    const commit: ParsedCommit | null =
      json && isObject(json.value) ? parseCommit(json.value, { erasable: true }) : null;
    claim(commit, `the commit of event ${seq} is malformed`);
    claim(commit.enclave === this.options.enclave, `event ${seq} belongs to another enclave`);
    const place = {
      timestamp: timestamp as number,
      sequencer: hex32<never>(unhex(hexOf(sequencer, 32))),
      seq: this.events,
    };
    const sig = unhex(hexOf(seqSig, 64));
    const sealed = {
      ...commit,
      ...place,
      seq_sig: hex64(sig),
      id: hex32<EventId>(eventId(eventHashOf(commit, place), sig)),
    };
    claim(verifyEvent(sealed, this.secp) === null, `event ${seq} is not what its author or its sequencer signed`);
    const erased = commit.content_hash !== undefined;
    const event: EncEvent = {
      ...sealed,
      content: toPlain(commit.content),
      ...(erased && commit.type !== 'Update' ? { status: 'deleted' as const } : {}),
    };
    this.succession.take(event);
    this.replay.apply(
      event,
      -1,
      () => ({ head: this.events - 1, ctRoot: toHex(this.log.root()) }),
      target === undefined ? undefined : hexOf(target, 32),
    );
    this.events++;
    this.ids.push(unhex(event.id));
    if (this.events % 500 === 0) this.options.progress?.(this.events, (this.header?.head ?? 0) + 1);
  }

  private closing(item: readonly Cbor[]): void {
    const [, index, firstSeq, size, t] = item;
    claim(item.length === 5 && isSeq(t), 'a closing is malformed');
    claim(index === this.log.size, `bundle ${this.log.size} is missing`);
    claim(
      firstSeq === this.events - this.ids.length && size === this.ids.length && this.ids.length > 0,
      `bundle ${index} does not hold the events before it`,
    );
    const { stateHash } = this.replay;
    claim(stateHash, `the state after bundle ${index} can't be worked out: the target of an erased Update is missing`);
    this.log.append(ctLeaf(ctLeafData(eventsRoot(this.ids), unhex(stateHash), firstSeq as number, this.ids.length)));
    this.ids = [];
  }

  private finish(item: readonly Cbor[]): void {
    const [, tree, sum] = item;
    const { header } = this;
    claim(
      item.length === 3 && isCborMap(tree) && sum instanceof Uint8Array && header,
      'the end of the file is malformed',
    );
    claim(equalBytes(sum, this.sum.clone().digest()), 'the sum of the file is wrong: it is damaged');
    claim(
      header.head === this.events - 1 && header.bundles === this.log.size,
      'the file does not hold what its header says',
    );
    const sth = checkTreeHead(plainSth(tree), this.options.enclave, this.secp);
    claim(sth.ts === this.log.size && sth.r === toHex(this.log.root()), 'the bundles do not add up to the tree head');
    claim(
      sth.sequencer === toHex(header.sequencer),
      'the tree head is signed by another sequencer than the header names',
    );
    this.replay.finish();
    this.sth = sth;
  }
}

function plainSth(tree: CborMap): Record<string, unknown> {
  return Object.fromEntries([...tree].map(([key, value]) => [key, value instanceof Uint8Array ? toHex(value) : value]));
}

/** Raw bytes, or hex text, of this length. */
function hexOf(value: Cbor | undefined, length: number): string {
  const hex = value instanceof Uint8Array ? toHex(value) : value;
  claim(
    typeof hex === 'string' && hex.length === length * 2 && /^[0-9a-f]*$/.test(hex),
    'a byte string of the file is malformed',
  );
  return hex;
}
