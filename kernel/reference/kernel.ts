import { concat } from '../../protocol/bytes.ts';
import { type ErrorCode, errorNumber } from '../../protocol/errors.ts';
import { readCommitRecord } from '../../protocol/records.ts';
import type { Status } from '../../protocol/rules-lifecycle.ts';
import { smtLeaves, smtRoot } from '../../protocol/smt.ts';
import {
  ACCEPTED,
  DUPLICATE,
  type EnclaveParams,
  type Head,
  type Kernel,
  type KernelHost,
  type ReadResult,
  type SealedBatch,
} from '../kernel.ts';
import { type Base, readBase, writeBase } from './base.ts';
import { Folding } from './folding.ts';
import type { Item } from './items.ts';
import { checkCommit, judge } from './judge.ts';
import { openQuery, select } from './queries.ts';
import { readAnswer } from './reads.ts';
import { BatchBuilder, SealedLog } from './sealed-log.ts';
import { Staged } from './staged.ts';

/** The kernel in plain TypeScript over protocol/: short, obvious, slow. The referee of the WASM kernel. */
export function createReferenceKernel(host: KernelHost): Kernel {
  return new ReferenceKernel(host);
}

const NOWHERE: EnclaveParams = { enclave: new Uint8Array(32), lane: 0, expWindow: 0 };

class ReferenceKernel implements Kernel {
  readonly name = 'reference';
  /** results of the last stage */
  seq = -1;
  detail = '';

  private readonly host: KernelHost;
  private staged = new Staged(NOWHERE);
  private log = new SealedLog(NOWHERE.enclave);
  private folding: Folding;
  /** the batch between begin and end, and its T */
  private batch: { readonly t: number; readonly items: Item[] } | null = null;
  /** batches that wait for their signatures, oldest first */
  private ended: Item[][] = [];

  constructor(host: KernelHost) {
    this.host = host;
    this.folding = new Folding(this.staged, this.log, host);
  }

  create(params: EnclaveParams): void {
    this.start(params, null);
  }

  load(params: EnclaveParams, base: Uint8Array, recents: readonly Uint8Array[]): void {
    this.start(params, readBase(params, base));
    for (const rows of recents) this.staged.recents.read(rows, this.staged.timestamp);
  }

  private start(params: EnclaveParams, base: Base | null): void {
    if (params.lane !== 0) throw new Error('this kernel knows lane 0 only');
    this.staged = new Staged(params, base);
    this.log = base?.log ?? new SealedLog(params.enclave.slice());
    this.folding = new Folding(this.staged, this.log, this.host);
    this.batch = null;
    this.ended = [];
    this.seq = -1;
    this.detail = '';
  }

  // The pipeline.

  begin(now: number): void {
    if (this.batch !== null) throw new Error('the last batch has not been ended');
    const { timestamp, dueAt, recents } = this.staged;
    const t = Math.max(now, timestamp);
    this.batch = { t, items: [] };
    recents.purge(timestamp);
    if (dueAt !== 0 && t >= dueAt) this.closeBundle();
  }

  stage(commit: Uint8Array, flags: number): number {
    const { t, items } = this.begun();
    const { staged, host } = this;
    this.detail = '';
    const c = readCommitRecord(commit.slice());
    if (c.code !== 0) return c.code;
    const early = checkCommit(staged, host, c, flags, t);
    if (early !== null) return this.refuse(early);
    const original = staged.recents.seqOf(c.hash);
    if (original >= 0) {
      this.seq = original;
      return DUPLICATE;
    }
    const outcome = judge(staged, this.log, host, c, flags);
    if (!outcome.ok) return this.refuse(outcome.error, outcome.detail);
    items.push(...staged.accept(c, outcome.state, t));
    if (staged.open?.complete) items.push(staged.close(t));
    this.seq = staged.seq;
    return ACCEPTED;
  }

  private refuse(error: ErrorCode, detail = ''): number {
    this.detail = detail;
    return errorNumber(error);
  }

  private begun(): { readonly t: number; readonly items: Item[] } {
    if (this.batch === null) throw new Error('no batch has been begun');
    return this.batch;
  }

  /** A kernel that does not hold the key closes nothing: it could not sign the tree head. */
  closeBundle(): boolean {
    const { t, items } = this.begun();
    if (this.staged.open === null || !this.staged.sequences) return false;
    items.push(this.staged.close(t));
    return true;
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
    let sealed = 0;
    for (const item of items) {
      const seqSig = signatures.slice(64 * sealed, 64 * sealed + 64);
      builder.seal(item, seqSig, (message) => this.signHead(message));
      if (item.kind === 'event') sealed++;
    }
    return builder.build();
  }

  private signHead(message: Uint8Array): Uint8Array {
    const sig = new Uint8Array(64);
    if (this.host.signSeq(message, sig) !== 0) throw new Error('the tree head has not been signed');
    return sig;
  }

  // Replay.

  replay(skeleton: Uint8Array, content: Uint8Array): void {
    this.idle();
    this.folding.replay(skeleton, content);
  }

  fold(commit: Uint8Array, timestamp: number, sequencer: Uint8Array, seqSig: Uint8Array, target?: Uint8Array): number {
    this.idle();
    return this.folding.fold(commit, timestamp, sequencer, seqSig, target);
  }

  foldClosing(t: number, sthSig: Uint8Array): number {
    this.idle();
    return this.folding.foldClosing(t, sthSig);
  }

  takeFolded(): SealedBatch {
    return this.folding.take();
  }

  private idle(): void {
    if (this.batch !== null || this.ended.length > 0) throw new Error('batches are staged');
  }

  // Reads. Before the Manifest is sealed there is no enclave to read.

  read(request: Uint8Array, now: number, answers: readonly Uint8Array[]): ReadResult {
    const { host, log } = this;
    const { state, seq, timestamp, closed, params } = this.staged;
    if (state === null || log.seq < 0) {
      return { kind: 'error', code: errorNumber('enclave_not_found'), detail: '' };
    }
    const view = { host, enclave: params.enclave, state, seq, timestamp, closed, log };
    return readAnswer(view, request, now, answers);
  }

  openQuery(request: Uint8Array, now: number): number {
    const { state } = this.staged;
    const error = state === null || this.log.seq < 0 ? 'enclave_not_found' : openQuery(state, this.host, request, now);
    return error === null ? 0 : errorNumber(error);
  }

  select(request: Uint8Array, record: Uint8Array, content: Uint8Array): Uint8Array | null {
    const { state, params } = this.staged;
    return state === null ? null : select(state, this.host, params.enclave, request, record, content);
  }

  // State.

  head(): Head {
    return this.log.head();
  }

  stateHash(): Uint8Array {
    return smtRoot(this.staged.state?.tree ?? null).slice();
  }

  get status(): Status {
    return this.staged.state?.status ?? 'active';
  }

  get dueAt(): number {
    return this.staged.dueAt;
  }

  get timestamp(): number {
    return this.staged.timestamp;
  }

  get atBoundary(): boolean {
    return this.staged.open === null;
  }

  get leaves(): number {
    return [...smtLeaves(this.staged.state?.tree ?? null)].length;
  }

  exportBase(): Uint8Array {
    this.idle();
    const { state, open, manifestContent } = this.staged;
    if (state === null || open !== null) throw new Error('not at a bundle boundary');
    return writeBase({ state, manifestContent, log: this.log });
  }

  exportRecents(fromSeq: number): Uint8Array {
    return this.staged.recents.write(fromSeq, this.log.seq, this.log.timestamp);
  }

  /** Nothing to give back: the collector takes it. */
  dispose(): void {}

  /** An estimate: what a leaf, a recent hash and a mark take in the heap, rounded up. */
  get memory(): number {
    return 1024 * (this.leaves + this.staged.recents.size + (this.staged.state?.marks.size ?? 0) + 64);
  }
}
