import { concat, equalBytes, utf8 } from '../../protocol/bytes.ts';
import { type ErrorCode, errorNumber } from '../../protocol/errors.ts';
import { matchesFilter } from '../../protocol/filter-match.ts';
import { eventHash } from '../../protocol/hash.ts';
import { toHex } from '../../protocol/hex.ts';
import { mayReadAnything } from '../../protocol/read-rules.ts';
import { eventOf, type InspectedCommit, readCommitRecord, readEventRecord } from '../../protocol/records.ts';
import { readRequest } from '../../protocol/requests.ts';
import { statusRefusal } from '../../protocol/rules-lifecycle.ts';
import type { TargetEvent } from '../../protocol/rules-target.ts';
import { type Smt, smtLeaves, smtRoot } from '../../protocol/smt.ts';
import {
  ACCEPTED,
  DUPLICATE,
  type EnclaveParams,
  type Head,
  IC_ECDSA,
  IC_ENCLAVE_OK,
  IC_ERASED,
  IC_HASH_OK,
  type Kernel,
  type KernelHost,
  REQUEST_PULL,
  REQUEST_QUERY,
  type ReadResult,
  type SealedBatch,
  STAGE_ADMIN,
  STAGE_FORGED,
  STAGE_FULL,
  STAGE_VERIFIED,
  TYPE_CUSTOM,
} from '../kernel.ts';
import { apply, applyManifest, type Outcome, statusDetail } from './apply.ts';
import { readBase, writeBase } from './base.ts';
import type { ClosingItem, Item } from './items.ts';
import { readAnswer, sessionError } from './reads.ts';
import { Recents, sameKey } from './recents.ts';
import { replayRecords } from './replay.ts';
import { BatchBuilder, SealedLog, type SignHead } from './sealed-log.ts';
import { eventStatus, isDeleted, readerOf, type State } from './state.ts';
import { eventMeta, isReadable } from './visible.ts';

/** The kernel in plain TypeScript over protocol/: short, obvious, slow. The referee of the WASM kernel. */
export function createReferenceKernel(host: KernelHost): Kernel {
  return new ReferenceKernel(host);
}

/** Events that go on when a quota is used up (PROTOCOL §9 `too_large`): they free or end something. */
const ALWAYS_FIT: ReadonlySet<string> = new Set(['Delete', 'Revoke', 'Pause', 'Resume', 'Terminate', 'Migrate']);
/** Events after which nothing more comes into their bundle. */
const LAST: ReadonlySet<string> = new Set(['Terminate', 'Migrate']);
const EMPTY = new Uint8Array(0);
const ZERO_SIG = new Uint8Array(64);

interface OpenBundle {
  readonly firstSeq: number;
  readonly firstTimestamp: number;
  readonly size: number;
  /** it holds all it may: only its closing can come next */
  readonly complete: boolean;
}

export class ReferenceKernel implements Kernel {
  readonly name = 'reference';
  seq = -1;
  detail = '';
  atBoundary = true;
  timestamp = -1;

  private readonly host: KernelHost;
  private params: EnclaveParams = { enclave: EMPTY, lane: 0, expWindow: 0 };

  // As staged.
  private state: State | null = null;
  private manifestContent: Uint8Array = EMPTY;
  private headSeq = -1;
  private open: OpenBundle | null = null;
  private closings = 0;
  private closed: { tree: Smt; index: number } | null = null;
  private recents = new Recents();
  /** the batch between begin and end, and its T */
  private batch: { readonly t: number; readonly items: Item[] } | null = null;
  private readonly ended: Item[][] = [];

  // As sealed.
  private log = new SealedLog(EMPTY);
  /** of fold: what was folded since the last takeFolded, and where its events can be found */
  private folded: BatchBuilder | null = null;
  private readonly foldedEvents = new Map<string, TargetEvent>();

  constructor(host: KernelHost) {
    this.host = host;
  }

  create(params: EnclaveParams): void {
    if (params.lane !== 0) throw new Error('this kernel knows lane 0 only');
    this.params = params;
    this.state = null;
    this.manifestContent = EMPTY;
    this.headSeq = -1;
    this.timestamp = -1;
    this.open = null;
    this.closings = 0;
    this.closed = null;
    this.recents = new Recents();
    this.batch = null;
    this.ended.length = 0;
    this.log = new SealedLog(params.enclave.slice());
    this.folded = null;
    this.foldedEvents.clear();
    this.atBoundary = true;
    this.seq = -1;
    this.detail = '';
  }

  load(params: EnclaveParams, base: Uint8Array, recents: readonly Uint8Array[]): void {
    this.create(params);
    const { state, manifestContent, log } = readBase(params, base);
    this.state = state;
    this.manifestContent = manifestContent;
    this.log = log;
    this.headSeq = log.seq;
    this.timestamp = log.timestamp;
    this.closings = log.ct.size;
    this.closed = { tree: state.tree, index: this.closings - 1 };
    for (const rows of recents) this.recents.read(rows, this.timestamp);
  }

  // ---- the pipeline

  begin(now: number): void {
    if (this.batch !== null) throw new Error('the last batch has not been ended');
    const t = Math.max(now, this.timestamp);
    this.batch = { t, items: [] };
    this.recents.purge(this.timestamp);
    if (this.dueAt !== 0 && t >= this.dueAt) this.closeBundle();
  }

  stage(commit: Uint8Array, flags: number): number {
    const batch = this.begun();
    this.detail = '';
    const c = readCommitRecord(commit.slice());
    if (c.code !== 0) return c.code;
    const early = this.checkCommit(c, flags, batch.t);
    if (early !== null) return this.refuse(early);
    const original = this.recents.seqOf(c.hash);
    if (original >= 0) {
      this.seq = original;
      return DUPLICATE;
    }
    const outcome = this.judge(c, flags);
    if (!outcome.ok) return this.refuse(outcome.error, outcome.detail);
    this.accept(c, outcome.state, batch.t, (item) => batch.items.push(item));
    if (this.open?.complete) this.close(batch.t, (item) => batch.items.push(item));
    this.seq = this.headSeq;
    this.atBoundary = this.open === null;
    return ACCEPTED;
  }

  /** The checks of PROTOCOL §3 up to the duplicate. */
  private checkCommit(c: InspectedCommit, flags: number, t: number): ErrorCode | null {
    if (!equalBytes(c.enclave, this.params.enclave)) return 'enclave_not_found';
    if (this.state === null && c.type !== 'Manifest') return 'enclave_not_found';
    if (c.exp <= t) return 'expired';
    if (c.exp > t + this.params.expWindow) return 'exp_too_far';
    if ((c.flags & IC_HASH_OK) === 0) return 'invalid_hash';
    return this.signatureHolds(c, flags) ? null : 'invalid_signature';
  }

  private signatureHolds(c: InspectedCommit, flags: number): boolean {
    if (flags & STAGE_FORGED) return false;
    return (flags & STAGE_VERIFIED) !== 0 || this.host.verify(c.flags & IC_ECDSA ? 1 : 0, c.from, c.hash, c.sig);
  }

  /** From the duplicate on: may this kernel sequence at all, has the enclave ended, is there room, do the rules allow it? */
  private judge(c: InspectedCommit, flags: number): Outcome {
    const key = this.params.sequencer;
    if (key === undefined || !this.sequences()) return { ok: false, error: 'enclave_read_only', detail: '' };
    const takeOver = this.takesOver(key);
    if (this.state !== null) {
      const status = statusRefusal(takeOver ? 'active' : this.state.status, c.type);
      if (status !== null) return { ok: false, error: status, detail: statusDetail(this.state) };
    }
    if (flags & STAGE_FULL && !ALWAYS_FIT.has(c.type)) return { ok: false, error: 'too_large', detail: '' };
    if (this.state === null) return this.found(c, key, flags);
    return this.applyTo(this.state, c, takeOver, (id) => this.released(id));
  }

  /** Does the key that signs here belong to the next event? */
  private sequences(): boolean {
    const key = this.params.sequencer;
    return key !== undefined && (this.state === null || equalBytes(key, this.state.sequencer) || this.takesOver(key));
  }

  private takesOver(key: Uint8Array): boolean {
    return this.state?.status === 'migrated' && sameKey(this.state.newSequencer, key);
  }

  private found(c: InspectedCommit, key: Uint8Array, flags: number): Outcome {
    const { provisioned } = this.params;
    if (provisioned === undefined && (c.flags & IC_ENCLAVE_OK) === 0) {
      return { ok: false, error: 'invalid_manifest', detail: '"path":"/enclave"' };
    }
    const outcome = applyManifest(c.content, key);
    if (!outcome.ok || provisioned === undefined) return outcome;
    const allowed =
      provisioned.creator === undefined ? (flags & STAGE_ADMIN) !== 0 : equalBytes(provisioned.creator, c.from);
    return allowed ? outcome : { ok: false, error: 'forbidden', detail: '' };
  }

  private applyTo(
    state: State,
    c: InspectedCommit,
    takeOver: boolean,
    find: (id: Uint8Array) => TargetEvent | null,
    target?: Uint8Array,
  ): Outcome {
    const candidate = { ...c, erased: (c.flags & IC_ERASED) !== 0 };
    const position = () => ({
      head: this.headSeq,
      ctRoot: this.closings === this.log.ct.size ? toHex(this.log.ct.root()) : '',
    });
    const { target: _, ...rest } = candidate;
    return apply(
      state,
      target === undefined ? rest : { ...rest, target },
      { seq: this.headSeq + 1, find, position },
      takeOver,
    );
  }

  private released(id: Uint8Array): TargetEvent | null {
    const meta = eventMeta(this.host, id);
    return meta === null ? null : { type: meta.type, from: toHex(meta.from) };
  }

  /** The event becomes part of the staged state. */
  private accept(
    commit: InspectedCommit,
    state: State,
    timestamp: number,
    push: (item: Item) => void,
    target?: Uint8Array,
  ): void {
    const { sequencer } = state;
    const seq = this.headSeq + 1;
    const hash = eventHash(commit.hash, commit.sig, sequencer, seq, timestamp);
    push({
      kind: 'event',
      commit,
      seq,
      timestamp,
      sequencer,
      eventHash: hash,
      ...(target === undefined ? {} : { target }),
    });
    if (seq === 0) {
      push({ kind: 'genesis', t: timestamp, sequencer });
      this.manifestContent = commit.content;
    }
    this.state = state;
    this.headSeq = seq;
    this.timestamp = timestamp;
    this.recents.add(commit.hash, commit.exp, seq);
    const { firstSeq, firstTimestamp, size } = this.open ?? { firstSeq: seq, firstTimestamp: timestamp, size: 0 };
    this.open = {
      firstSeq,
      firstTimestamp,
      size: size + 1,
      complete: size + 1 === state.manifest.size || LAST.has(commit.type),
    };
  }

  closeBundle(): boolean {
    const batch = this.begun();
    if (this.open === null || !this.sequences()) return false;
    this.close(batch.t, (item) => batch.items.push(item));
    return true;
  }

  private close(t: number, push: (item: ClosingItem) => void): void {
    if (this.open === null || this.state === null) throw new Error('no open bundle');
    const { firstSeq, size } = this.open;
    const { tree, sequencer } = this.state;
    push({ kind: 'closing', firstSeq, size, t, stateHash: smtRoot(tree), sequencer });
    this.closed = { tree, index: this.closings };
    this.closings++;
    this.open = null;
    this.atBoundary = true;
  }

  private begun(): { readonly t: number; readonly items: Item[] } {
    if (this.batch === null) throw new Error('no batch has been begun');
    return this.batch;
  }

  private refuse(error: ErrorCode, detail = ''): number {
    this.detail = detail;
    return errorNumber(error);
  }

  end(): Uint8Array {
    const { items } = this.begun();
    this.batch = null;
    this.ended.push(items);
    return concat(...items.flatMap((item) => (item.kind === 'event' ? [item.eventHash] : [])));
  }

  seal(signatures: Uint8Array): SealedBatch {
    const items = this.ended.shift();
    if (items === undefined) throw new Error('no batch waits for its signatures');
    const events = items.filter((item) => item.kind === 'event').length;
    if (signatures.length !== 64 * events) throw new Error('one signature of 64 bytes per event');
    const builder = new BatchBuilder(this.log);
    let at = 0;
    for (const item of items) {
      const sig = item.kind === 'event' ? signatures.slice(at, (at += 64)) : EMPTY;
      this.sealItem(item, builder, sig, (message) => this.signHead(message));
    }
    return builder.build();
  }

  private sealItem(item: Item, builder: BatchBuilder, seqSig: Uint8Array, sign: SignHead): Uint8Array {
    if (item.kind === 'event') {
      const record = this.log.event(item, seqSig);
      builder.event(record, item.commit.content);
      return record;
    }
    const record = item.kind === 'genesis' ? this.log.genesis(item, sign) : this.log.closing(item, sign);
    builder.closing(record, item.kind === 'genesis');
    return record;
  }

  private signHead(message: Uint8Array): Uint8Array {
    const sig = new Uint8Array(64);
    if (this.host.signSeq(message, sig) !== 0) throw new Error('the tree head has not been signed');
    return sig;
  }

  // ---- replay

  replay(skeleton: Uint8Array, content: Uint8Array): void {
    this.idle();
    const builder = new BatchBuilder(this.log);
    this.foldedEvents.clear();
    replayRecords(this.params.enclave, skeleton, content, {
      event: (commit, timestamp, sequencer, seqSig, target) =>
        this.foldEvent(commit, timestamp, sequencer, seqSig, target, builder),
      closing: (t, sig) => this.foldBundle(t, sig, builder),
    });
    this.foldedEvents.clear();
  }

  fold(commit: Uint8Array, timestamp: number, sequencer: Uint8Array, seqSig: Uint8Array, target?: Uint8Array): number {
    this.idle();
    const c = readCommitRecord(commit.slice());
    if (c.code !== 0) return c.code;
    if (
      this.state === null &&
      this.params.provisioned === undefined &&
      c.type === 'Manifest' &&
      (c.flags & IC_ENCLAVE_OK) === 0
    ) {
      return errorNumber('invalid_manifest');
    }
    if ((c.flags & IC_HASH_OK) === 0) return errorNumber('invalid_hash');
    this.folded ??= new BatchBuilder(this.log);
    const result = this.foldEvent(c, timestamp, sequencer.slice(), seqSig.slice(), target?.slice(), this.folded);
    return typeof result === 'number' ? result : 0;
  }

  foldClosing(t: number, sthSig: Uint8Array): number {
    this.idle();
    this.folded ??= new BatchBuilder(this.log);
    const result = this.foldBundle(t, sthSig.slice(), this.folded);
    return typeof result === 'number' ? result : 0;
  }

  takeFolded(): SealedBatch {
    const builder = this.folded ?? new BatchBuilder(this.log);
    this.folded = null;
    this.foldedEvents.clear();
    return builder.build();
  }

  private idle(): void {
    if (this.batch !== null || this.ended.length > 0) throw new Error('batches are staged');
  }

  /** The records that the event makes (a Manifest's tree head behind it), or an error number. */
  private foldEvent(
    c: InspectedCommit,
    timestamp: number,
    sequencer: Uint8Array,
    seqSig: Uint8Array,
    extra: Uint8Array | undefined,
    builder: BatchBuilder,
  ): Uint8Array[] | number {
    const early = this.checkFolded(c, timestamp, sequencer);
    if (early !== null) return errorNumber(early);
    const takeOver = this.takesOver(sequencer);
    const target = c.type === 'Update' && (c.flags & IC_ERASED) !== 0 ? extra : undefined;
    const outcome =
      this.state === null
        ? applyManifest(c.content, sequencer)
        : this.applyTo(this.state, c, takeOver, (id) => this.foldedEvents.get(toHex(id)) ?? this.released(id), target);
    if (!outcome.ok) return this.refuse(outcome.error, outcome.detail);
    const items: Item[] = [];
    this.accept(c, outcome.state, timestamp, (item) => items.push(item), target);
    this.recents.purge(timestamp);
    const headSig = extra?.length === 64 ? extra : ZERO_SIG;
    const records = items.map((item) => this.sealItem(item, builder, seqSig, () => headSig));
    this.foldedEvents.set(toHex(readEventRecord(records[0] as Uint8Array).id), { type: c.type, from: toHex(c.from) });
    this.seq = this.headSeq;
    this.atBoundary = false;
    return records;
  }

  private checkFolded(c: InspectedCommit, timestamp: number, sequencer: Uint8Array): ErrorCode | null {
    if (!equalBytes(c.enclave, this.params.enclave)) return 'enclave_not_found';
    if (this.state === null && c.type !== 'Manifest') return 'enclave_not_found';
    if (timestamp < this.timestamp || this.open?.complete) return 'invalid_snapshot';
    if (c.exp <= timestamp) return 'expired';
    if (this.state !== null && !this.takesOver(sequencer) && !equalBytes(sequencer, this.state.sequencer))
      return 'invalid_snapshot';
    const original = this.recents.seqOf(c.hash);
    return original >= 0 ? 'invalid_snapshot' : null;
  }

  private foldBundle(t: number, sthSig: Uint8Array, builder: BatchBuilder): Uint8Array[] | number {
    if (this.open === null || t < this.timestamp) return errorNumber('invalid_snapshot');
    const items: Item[] = [];
    this.close(t, (item) => items.push(item));
    return items.map((item) => this.sealItem(item, builder, EMPTY, () => sthSig));
  }

  // ---- reads

  read(request: Uint8Array, now: number, answers: readonly Uint8Array[]): ReadResult {
    if (this.state === null) return { kind: 'error', code: errorNumber('enclave_not_found'), detail: '' };
    const { host, state, log, closed, timestamp } = this;
    return readAnswer(
      { host, enclave: this.params.enclave, state, seq: this.headSeq, timestamp, closed, log },
      request,
      now,
      answers,
    );
  }

  openQuery(bytes: Uint8Array, now: number): number {
    const request = readRequest(bytes);
    if (this.state === null || this.log.seq < 0) return errorNumber('enclave_not_found');
    const session = sessionError(this.host, this.state, request, now);
    if (session !== null) return errorNumber(session);
    return mayReadAnything(this.state.manifest, readerOf(this.state, request.from), request.kind === REQUEST_PULL)
      ? 0
      : errorNumber('forbidden');
  }

  select(bytes: Uint8Array, record: Uint8Array, content: Uint8Array): Uint8Array | null {
    const { state } = this;
    if (state === null) return null;
    const request = readRequest(bytes);
    if (request.kind !== REQUEST_QUERY && request.kind !== REQUEST_PULL)
      throw new RangeError('select answers Query and Pull');
    const event = readEventRecord(record);
    if (!matchesFilter(request.filter, event)) return null;
    if (!isReadable(state, this.host, request.from, event, content, request.kind === REQUEST_PULL)) return null;
    const isContent = event.typeNumber === TYPE_CUSTOM;
    const deleted = isDeleted(state, isContent ? event.id : event.target) && (isContent || event.type === 'Update');
    const shown = record.slice();
    if (deleted || content.length === 0) shown[5] = event.flags | IC_ERASED;
    const status = !isContent
      ? undefined
      : deleted
        ? 'deleted'
        : eventStatus(state, event.id) !== null
          ? 'updated'
          : undefined;
    return utf8(eventOf(this.params.enclave, shown, content, status));
  }

  // ---- state

  head(): Head {
    return this.log.head();
  }

  stateHash(): Uint8Array {
    return smtRoot(this.state?.tree ?? null).slice();
  }

  get status(): State['status'] {
    return this.state?.status ?? 'active';
  }

  get dueAt(): number {
    if (this.open === null || this.state === null) return 0;
    return this.open.firstTimestamp + this.state.manifest.timeout;
  }

  get leaves(): number {
    return [...smtLeaves(this.state?.tree ?? null)].length;
  }

  exportBase(): Uint8Array {
    if (this.state === null || this.open !== null) throw new Error('not at a bundle boundary');
    this.idle();
    return writeBase({ state: this.state, manifestContent: this.manifestContent, log: this.log });
  }

  exportRecents(fromSeq: number): Uint8Array {
    return this.recents.write(fromSeq, this.log.seq, this.log.timestamp);
  }

  /** An estimate: what a leaf, a recent hash and a mark take in the heap, rounded up. */
  get memory(): number {
    return 1024 * (this.leaves + this.recents.size + (this.state?.marks.size ?? 0) + 64);
  }
}
