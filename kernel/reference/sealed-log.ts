import { eventsRoot } from '../../protocol/bundle-tree.ts';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { CtFrontier } from '../../protocol/ct.ts';
import { chainStep, ctLeaf, ctLeafData, EMPTY_HASH, eventId, sthMessage, ZERO32 } from '../../protocol/hash.ts';
import { buildClosingRecord, buildEventRecord, receiptOf } from '../../protocol/records.ts';
import { type Head, IC_ERASED, IC_TARGET, type SealedBatch } from '../kernel.ts';
import type { ClosingItem, EventItem, GenesisItem, Item } from './items.ts';

export interface TreeHead {
  readonly t: number;
  readonly r: Uint8Array;
  readonly sig: Uint8Array;
  readonly sequencer: Uint8Array;
}

/** Signs the message of a tree head; throws if the key refuses. */
export type SignHead = (message: Uint8Array) => Uint8Array;

const LANE = 0;
/** Flags that stay with an event; the others say only how its commit came in. */
const KEPT_FLAGS = 1 | 2 | 4 | IC_TARGET | IC_ERASED;

/** The log as far as it has been signed: turns items into records, and keeps what the next ones build on. */
export class SealedLog {
  readonly enclave: Uint8Array;
  seq = -1;
  /** of the last event; −1 before the Manifest */
  timestamp = -1;
  chain: Uint8Array;
  ct = new CtFrontier();
  /** event ids of the open bundle */
  open: Uint8Array[] = [];
  manifestId: Uint8Array = ZERO32;
  treeHead: TreeHead | null = null;

  constructor(enclave: Uint8Array) {
    this.enclave = enclave;
    this.chain = enclave;
  }

  head(): Head {
    return { seq: this.seq, chain: this.chain, bundles: this.ct.size, ctRoot: this.ct.root() };
  }

  event(item: EventItem, seqSig: Uint8Array): Uint8Array {
    const { commit } = item;
    const id = eventId(item.eventHash, seqSig);
    this.seq = item.seq;
    this.timestamp = item.timestamp;
    this.chain = chainStep(this.chain, id);
    this.open.push(id);
    if (item.seq === 0) this.manifestId = id;
    const flags = (commit.flags & KEPT_FLAGS) | (item.target === undefined ? 0 : IC_TARGET);
    return buildEventRecord({
      ...{ flags, typeNumber: commit.typeNumber, type: commit.type, tags: commit.tags },
      ...{ seq: item.seq, timestamp: item.timestamp, exp: commit.exp, ctl: 0, lane: LANE },
      ...{ id, hash: commit.hash, from: commit.from, sig: commit.sig, seqSig, contentHash: commit.contentHash },
      ...{ target: item.target ?? commit.target, sequencer: item.sequencer, contentLength: commit.content.length },
    });
  }

  genesis(item: GenesisItem, sign: SignHead): Uint8Array {
    return this.treeHeadRecord(
      {
        genesis: true,
        item,
        size: 0,
        firstSeq: 0,
        eventsRoot: ZERO32,
        stateHash: ZERO32,
        ctLeaf: ZERO32,
        nodes: [],
        index: 0,
      },
      sign,
    );
  }

  closing(item: ClosingItem, sign: SignHead): Uint8Array {
    if (this.open.length !== item.size) throw new Error('a closing that does not fit its bundle');
    const root = eventsRoot(this.open);
    const leaf = ctLeaf(ctLeafData(root, item.stateHash, item.firstSeq, item.size));
    const index = this.ct.size;
    const nodes = this.ct.append(leaf);
    this.open = [];
    const { firstSeq, size, stateHash } = item;
    return this.treeHeadRecord(
      { genesis: false, item, size, firstSeq, eventsRoot: root, stateHash, ctLeaf: leaf, nodes, index },
      sign,
    );
  }

  private treeHeadRecord(
    c: {
      genesis: boolean;
      item: GenesisItem | ClosingItem;
      index: number;
      firstSeq: number;
      size: number;
      eventsRoot: Uint8Array;
      stateHash: Uint8Array;
      ctLeaf: Uint8Array;
      nodes: readonly Uint8Array[];
    },
    sign: SignHead,
  ): Uint8Array {
    const { item, ...rest } = c;
    const r = c.genesis ? EMPTY_HASH : this.ct.root();
    const sig = sign(sthMessage(this.enclave, item.t, this.ct.size, r));
    this.treeHead = { t: item.t, r, sig, sequencer: item.sequencer };
    return buildClosingRecord({ ...rest, t: item.t, lane: LANE, ctRoot: r, sthSig: sig, sequencer: item.sequencer });
  }
}

/** Gathers the records of a batch. */
export class BatchBuilder {
  private readonly records: Uint8Array[] = [];
  private readonly contents: Uint8Array[] = [];
  private readonly receipts: Uint8Array[] = [];
  private readonly firstSeq: number;
  private readonly log: SealedLog;
  private closings = 0;

  constructor(log: SealedLog) {
    this.log = log;
    this.firstSeq = log.seq + 1;
  }

  /** Adds an item to the log and to the batch; returns its record. */
  seal(item: Item, seqSig: Uint8Array, signHead: SignHead): Uint8Array {
    const record = this.sealed(item, seqSig, signHead);
    this.records.push(record);
    if (item.kind === 'closing') this.closings++;
    if (item.kind === 'event') {
      this.contents.push(item.commit.content);
      this.receipts.push(utf8(receiptOf(this.log.enclave, record)));
    }
    return record;
  }

  private sealed(item: Item, seqSig: Uint8Array, signHead: SignHead): Uint8Array {
    if (item.kind === 'event') return this.log.event(item, seqSig);
    return item.kind === 'genesis' ? this.log.genesis(item, signHead) : this.log.closing(item, signHead);
  }

  build(): SealedBatch {
    const offsets = new Uint32Array(this.receipts.length + 1);
    for (const [i, receipt] of this.receipts.entries()) offsets[i + 1] = (offsets[i] as number) + receipt.length;
    return {
      events: this.contents.length,
      closings: this.closings,
      firstSeq: this.firstSeq,
      skeleton: concat(...this.records),
      content: concat(...this.contents),
      receipts: concat(...this.receipts),
      offsets,
      head: this.log.head(),
      timestamp: this.log.timestamp,
    };
  }
}
