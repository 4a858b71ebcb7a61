import type { CheckedEvent, CheckedPart } from '../protocol/archive-check.ts';
import { equalBytes } from '../protocol/bytes.ts';
import { CtFrontier } from '../protocol/ct.ts';
import { toHex } from '../protocol/hex.ts';
import { toPlain } from '../protocol/json.ts';
import type { ClosingRecord } from '../protocol/records.ts';
import { claim } from './check.ts';
import type { Remembered, TreeHead } from './heads.ts';
import { Replay } from './replay.ts';
import type { Secp } from './secp.ts';
import { Succession } from './succession.ts';
import type { EncEvent } from './types.ts';

export interface ArchiveProgress {
  readonly events: number;
  readonly bundles: number;
  readonly totalBundles: number;
  readonly perSecond: number;
}

export interface VerifyArchiveOptions {
  readonly enclave: string;
  /** The first sequencer, if the Manifest does not name it and you know it. */
  readonly sequencer?: string | undefined;
  /** An archive of fewer bundles is refused: from the archive alone nobody can see that its end is missing. */
  readonly bundles?: number | undefined;
  /** What a client remembers of the enclave: the archive must agree with its tree head. */
  readonly remembered?: Remembered | undefined;
  readonly secp?: Secp | undefined;
  readonly progress?: ((progress: ArchiveProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ArchiveReport {
  readonly enclave: string;
  readonly events: number;
  readonly bundles: number;
  /** Contents that Deletes took out. */
  readonly erased: number;
  /** The first sequencer, and whether the Manifest names it; if not, somebody must say that it is the right one. */
  readonly sequencer: string;
  readonly named: boolean;
  readonly sequencers: readonly string[];
  /** The tree head that all of it adds up to. */
  readonly sth: TreeHead;
  /** Bundles of the remembered tree head with which the archive agrees; null: none was remembered, or it is further on. */
  readonly consistentWith: number | null;
  readonly bytes: number;
  readonly seconds: number;
  readonly perSecond: number;
}

/** Folds checked parts, in order, into events, bundles and the log, and compares each root on the way. */
export class ArchiveAudit {
  events = 0;
  bundles = 0;
  private readonly options: VerifyArchiveOptions;
  private readonly replay = new Replay();
  private readonly log = new CtFrontier();
  private readonly succession: Succession;
  private erased = 0;
  private bytes = 0;
  /** of the open bundle: its closing, as all its parts name it */
  private closing: Uint8Array | undefined;
  private nextPart = 0;
  private tip: { readonly closing: ClosingRecord; readonly signed: boolean } | undefined;
  private consistentWith: number | null = null;

  constructor(options: VerifyArchiveOptions) {
    this.options = options;
    const term = options.remembered?.terms[0];
    this.succession = new Succession(options.sequencer ?? (term?.since === 0 ? term.sequencer : undefined));
  }

  /** Throws Mismatch. */
  take(checked: CheckedPart, bytes: number): void {
    const { part, closing } = checked;
    claim(part.bundle === this.bundles && part.part === this.nextPart, `bundle ${this.bundles} is not complete`);
    claim(part.from === this.events, `event ${this.events} is missing`);
    claim(this.nextPart > 0 || part.firstSeq === this.events, `event ${this.events} is missing`);
    claim(!this.closing || equalBytes(this.closing, part.closing), 'its parts name different closings');
    claim((part.bundle === 0 && part.part === 0) === (checked.genesis !== null), 'the first tree head is missing');
    for (const event of checked.events) this.event(event);
    this.bytes += bytes;
    if (part.from + part.events < part.firstSeq + part.size) {
      this.closing = part.closing.slice();
      this.nextPart++;
      return;
    }
    this.close(closing, checked.signed);
  }

  finish(seconds: number): ArchiveReport {
    const { tip, succession } = this;
    claim(this.nextPart === 0, `bundle ${this.bundles} is not complete`);
    claim(tip, 'it holds no bundle of this enclave');
    claim(tip.signed, 'it ends before a signed tree head: archive more, or ask the node');
    const wanted = this.options.bundles ?? 0;
    claim(this.bundles >= wanted, `it ends after ${this.bundles} bundles, not ${wanted}`);
    this.replay.finish();
    return {
      enclave: this.options.enclave,
      events: this.events,
      bundles: this.bundles,
      erased: this.erased,
      sequencer: succession.first,
      named: succession.named,
      sequencers: succession.sequencers,
      sth: treeHead(this.options.enclave, tip.closing),
      consistentWith: this.consistentWith,
      bytes: this.bytes,
      seconds,
      perSecond: Math.round(this.events / Math.max(0.001, seconds)),
    };
  }

  private event({ event, erased, target }: CheckedEvent): void {
    if (erased) this.erased++;
    const shown: EncEvent = {
      ...event,
      content: toPlain(event.content),
      ...(erased && event.type !== 'Update' ? { status: 'deleted' as const } : {}),
    };
    this.succession.take(shown);
    this.replay.apply(
      shown,
      -1,
      () => ({ head: event.seq - 1, ctRoot: toHex(this.log.root()) }),
      erased ? target : undefined,
    );
    this.events++;
  }

  private close(closing: ClosingRecord, signed: boolean): void {
    const which = `bundle ${closing.index}`;
    claim(closing.size <= this.replay.manifest.size, `${which} holds more events than the Manifest allows`);
    claim(
      this.replay.stateHash === toHex(closing.stateHash),
      `the state after ${which} is not what its events add up to`,
    );
    claim(
      toHex(closing.sequencer) === this.succession.last?.sequencer,
      `the tree head of ${which} is signed by a sequencer whose turn it is not`,
    );
    const completed = this.log.append(closing.ctLeaf);
    claim(
      completed.length === closing.nodes.length &&
        completed.every((node, i) => equalBytes(node, closing.nodes[i] as Uint8Array)) &&
        equalBytes(this.log.root(), closing.ctRoot),
      `${which} does not continue the log before it`,
    );
    this.bundles++;
    this.closing = undefined;
    this.nextPart = 0;
    this.tip = { closing, signed };
    const sth = this.options.remembered?.sth;
    if (sth?.ts !== this.bundles) return;
    claim(
      sth.r === toHex(closing.ctRoot),
      `the log is another one than that of the tree head of ${sth.ts} bundles remembered`,
    );
    this.consistentWith = sth.ts;
  }
}

function treeHead(enclave: string, c: ClosingRecord): TreeHead {
  const { t, ctRoot, sequencer, sthSig } = c;
  return { enclave, t, ts: c.index + 1, r: toHex(ctRoot), sequencer: toHex(sequencer), sig: toHex(sthSig) };
}
