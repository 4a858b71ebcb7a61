import { equalBytes } from '../../protocol/bytes.ts';
import { type ErrorCode, errorNumber } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import { type InspectedCommit, readCommitRecord, readEventRecord } from '../../protocol/records.ts';
import type { TargetEvent } from '../../protocol/rules-target.ts';
import { IC_ERASED, IC_HASH_OK, type KernelHost, type SealedBatch } from '../kernel.ts';
import { applyManifest } from './apply.ts';
import { applyTo, foundsItsEnclave, isKnown } from './judge.ts';
import { replayRecords } from './replay.ts';
import { BatchBuilder, type SealedLog } from './sealed-log.ts';
import { releasedTarget, type Staged } from './staged.ts';

const NO_SIGNATURE = new Uint8Array(64);

/**
 * Events and closings that were sequenced before: their time, sequencer and signatures are given, and the rules must
 * still allow them. What is folded is sealed at once.
 */
export class Folding {
  private readonly staged: Staged;
  private readonly log: SealedLog;
  private readonly host: KernelHost;
  private builder: BatchBuilder | null = null;
  /** events of this call or since the last takeFolded, by id: the host may not know them yet */
  private readonly events = new Map<string, TargetEvent>();

  constructor(staged: Staged, log: SealedLog, host: KernelHost) {
    this.staged = staged;
    this.log = log;
    this.host = host;
  }

  replay(skeleton: Uint8Array, content: Uint8Array): void {
    const builder = new BatchBuilder(this.log);
    this.events.clear();
    replayRecords(this.staged.params.enclave, skeleton, content, {
      event: (commit, timestamp, sequencer, seqSig, extra) =>
        this.event(commit, timestamp, sequencer, seqSig, extra, builder),
      closing: (t, sig) => this.closing(t, sig, builder),
    });
    this.events.clear();
  }

  /** 0 or an error number. */
  fold(commit: Uint8Array, timestamp: number, sequencer: Uint8Array, seqSig: Uint8Array, extra?: Uint8Array): number {
    const c = readCommitRecord(commit.slice());
    if (c.code !== 0) return c.code;
    if (isKnown(this.staged, c) && this.staged.state === null && !foundsItsEnclave(this.staged, c)) {
      return errorNumber('invalid_manifest');
    }
    if ((c.flags & IC_HASH_OK) === 0) return errorNumber('invalid_hash');
    this.builder ??= new BatchBuilder(this.log);
    return codeOf(this.event(c, timestamp, sequencer.slice(), seqSig.slice(), extra?.slice(), this.builder));
  }

  foldClosing(t: number, sthSig: Uint8Array): number {
    this.builder ??= new BatchBuilder(this.log);
    return codeOf(this.closing(t, sthSig.slice(), this.builder));
  }

  take(): SealedBatch {
    const builder = this.builder ?? new BatchBuilder(this.log);
    this.builder = null;
    this.events.clear();
    return builder.build();
  }

  /** The records that the event makes (a Manifest's tree head behind it), or an error number. */
  private event(
    c: InspectedCommit,
    timestamp: number,
    sequencer: Uint8Array,
    seqSig: Uint8Array,
    extra: Uint8Array | undefined,
    builder: BatchBuilder,
  ): Uint8Array[] | number {
    const { staged } = this;
    const early = this.check(c, timestamp, sequencer);
    if (early !== null) return errorNumber(early);
    const target = c.type === 'Update' && (c.flags & IC_ERASED) !== 0 ? extra : undefined;
    const find = (id: Uint8Array) => this.events.get(toHex(id)) ?? releasedTarget(this.host, id);
    const outcome =
      staged.state === null
        ? applyManifest(c.content, sequencer)
        : applyTo(staged, staged.state, this.log, c, staged.takesOver(sequencer), find, target);
    if (!outcome.ok) return errorNumber(outcome.error);
    const items = staged.accept(c, outcome.state, timestamp, target);
    staged.recents.purge(timestamp);
    const headSig = c.type === 'Manifest' && extra?.length === 64 ? extra : NO_SIGNATURE;
    const records = items.map((item) => builder.seal(item, seqSig, () => headSig));
    const { id } = readEventRecord(records[0] as Uint8Array);
    this.events.set(toHex(id), { type: c.type, from: toHex(c.from) });
    return records;
  }

  private check(c: InspectedCommit, timestamp: number, sequencer: Uint8Array): ErrorCode | null {
    const { state, open } = this.staged;
    if (!isKnown(this.staged, c)) return 'enclave_not_found';
    if (timestamp < this.staged.timestamp || open?.complete) return 'invalid_snapshot';
    if (c.exp <= timestamp) return 'expired';
    const theirs = state === null || this.staged.takesOver(sequencer) || equalBytes(sequencer, state.sequencer);
    return theirs && this.staged.recents.seqOf(c.hash) < 0 ? null : 'invalid_snapshot';
  }

  private closing(t: number, sthSig: Uint8Array, builder: BatchBuilder): Uint8Array[] | number {
    if (this.staged.open === null || t < this.staged.timestamp) return errorNumber('invalid_snapshot');
    return [builder.seal(this.staged.close(t), NO_SIGNATURE, () => sthSig)];
  }
}

function codeOf(result: Uint8Array[] | number): number {
  return typeof result === 'number' ? result : 0;
}
