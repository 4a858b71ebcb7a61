import type { EnclaveParams, Head, Kernel, KernelHost, Need, ReadResult, SealedBatch } from './kernel.ts';
import { DUPLICATE, STAGE_FORGED, STAGE_VERIFIED } from './kernel.ts';
import * as X from './wasm-exports.ts';
import { type WasmImports, type WasmInstance, WasmInstances } from './wasm-instances.ts';
import { WasmMemory } from './wasm-memory.ts';

const STATUS = ['active', 'paused', 'terminated', 'migrated'] as const;
const NEED_BYTES = 24;
const FOLD_PREFIX = 160;
const ZERO32 = new Uint8Array(32);
const utf8 = new TextDecoder();

/** Where a kernel that was disposed of looks: nothing is there, and every call throws. */
const NO_BYTES = new Uint8Array(0);
const NO_MEMORY = new WasmMemory({ buffer: NO_BYTES.buffer });
const DISPOSED = new Proxy({} as X.KernelExports, {
  get() {
    throw new Error('this kernel was disposed of');
  },
});

/** Of each module, for the whole process: it has one. */
const instancesOf = new WeakMap<WebAssembly.Module, WasmInstances>();

/** A kernel for one enclave on an instance of its own. Calls that the state does not allow throw. */
export function createWasmKernel(module: WebAssembly.Module, host: KernelHost): Kernel {
  let instances = instancesOf.get(module);
  if (!instances) {
    instances = new WasmInstances(module);
    instancesOf.set(module, instances);
  }
  return kernelOf(instances, host);
}

/** The same on an instance of these. */
export function kernelOf(instances: WasmInstances, host: KernelHost): Kernel {
  return new WasmKernel(instances, host);
}

class WasmKernel implements Kernel, WasmImports {
  readonly name = 'wasm';
  private readonly instances: WasmInstances;
  private readonly host: KernelHost;
  /** null once it is disposed of */
  private instance: WasmInstance | null;
  private wasm: X.KernelExports;
  private mem: WasmMemory;
  /** the instance holds an enclave: another one needs another instance */
  private used = false;
  /** what is known about the signature of the commit that is being staged */
  private verdict = 0;
  /** the hash to sign and its place: event hashes are always at the same addresses, so one view of each serves them all */
  private hashView = NO_BYTES;
  private sigView = NO_BYTES;

  constructor(instances: WasmInstances, host: KernelHost) {
    this.instances = instances;
    this.host = host;
    this.instance = instances.take(this);
    this.wasm = this.instance.exports;
    this.mem = this.instance.memory;
  }

  signSeq(hash: number, sig: number): number {
    if (this.hashView.byteOffset !== hash || this.hashView.length === 0) this.hashView = this.mem.peek(hash, 32);
    if (this.sigView.byteOffset !== sig || this.sigView.length === 0) this.sigView = this.mem.peek(sig, 64);
    return this.host.signSeq(this.hashView, this.sigView);
  }

  verify(alg: number, pub: number, hash: number, sig: number): number {
    if (this.verdict & STAGE_VERIFIED) return 1;
    if (this.verdict & STAGE_FORGED) return 0;
    const { mem } = this;
    return this.host.verify(alg, mem.peek(pub, 32), mem.peek(hash, 32), mem.peek(sig, 64)) ? 1 : 0;
  }

  eventMeta(id: number, out: number): number {
    return this.host.eventMeta(this.mem.peek(id, 32), this.mem.peek(out, 128));
  }

  dispose(): void {
    if (!this.instance) return;
    this.instances.giveBack(this.instance);
    this.instance = null;
    this.wasm = DISPOSED;
    this.mem = NO_MEMORY;
    this.hashView = this.sigView = NO_BYTES;
  }

  create(params: EnclaveParams): void {
    const { enclave, sequencer, provisioned, lane, expWindow } = params;
    if (lane !== 0) throw new RangeError('this kernel knows lane 0 only');
    if (this.used) this.another();
    this.used = true;
    this.put(enclave, sequencer ?? ZERO32, provisioned?.creator ?? ZERO32);
    const flag = (there: unknown, bit: number): number => (there === undefined ? 0 : bit);
    const flags = flag(sequencer, X.PARAM_KEY) | flag(provisioned, X.PARAM_PROVISIONED);
    this.wasm.create(lane, flags | flag(provisioned?.creator, X.PARAM_CREATOR), expWindow);
  }

  private another(): void {
    if (!this.instance) throw new Error('this kernel was disposed of');
    this.instances.giveBack(this.instance);
    this.instance = this.instances.take(this);
    this.wasm = this.instance.exports;
    this.mem = this.instance.memory;
    this.hashView = this.sigView = NO_BYTES;
  }

  load(params: EnclaveParams, base: Uint8Array, recents: readonly Uint8Array[]): void {
    this.create(params);
    this.put(base);
    if (this.wasm.loadBase(base.length) === 0) throw new RangeError('not an exported state of this enclave');
    for (const rows of recents) {
      this.put(rows);
      if (this.wasm.loadRecents(rows.length) === 0) throw new RangeError('not exported recents');
    }
  }

  begin(now: number): void {
    if (this.wasm.begin(now) === 0) throw new Error('a batch is open, or three are waiting to be sealed');
  }

  stage(commit: Uint8Array, flags: number): number {
    this.mem.put(this.wasm.input(commit.length), commit);
    this.verdict = flags;
    const code = this.wasm.stage(flags);
    this.verdict = 0;
    if (code < DUPLICATE) throw new Error('no batch is open');
    return code;
  }

  get seq(): number {
    return this.wasm.stagedSeq();
  }

  get detail(): string {
    return utf8.decode(this.mem.peek(this.wasm.detailPtr(), this.wasm.detailLen()));
  }

  get atBoundary(): boolean {
    return this.wasm.atBoundary() !== 0;
  }

  closeBundle(): boolean {
    if (this.wasm.isOpen() === 0) throw new Error('no batch is open');
    return this.wasm.closeBundle() !== 0;
  }

  end(): Uint8Array {
    const at = this.wasm.end();
    if (at === 0) throw new Error('no batch is open');
    return this.mem.peek(at, this.wasm.endedLength());
  }

  seal(signatures: Uint8Array): SealedBatch {
    this.put(signatures);
    const at = this.wasm.seal();
    if (at === 0) throw new Error('no batch has ended with so many events');
    if (at === 1) throw new Error('the tree head was not signed');
    return this.sealed(at);
  }

  replay(skeleton: Uint8Array, content: Uint8Array): void {
    this.put(skeleton, content);
    const code = this.wasm.replay(skeleton.length, content.length);
    if (code !== 0) throw new Error(`the records do not replay at seq ${this.wasm.failedSeq.value} (${code})`);
  }

  fold(commit: Uint8Array, timestamp: number, sequencer: Uint8Array, seqSig: Uint8Array, target?: Uint8Array): number {
    const at = this.wasm.input(FOLD_PREFIX + commit.length);
    this.mem.put(at, sequencer);
    this.mem.put(at + 32, seqSig);
    if (target !== undefined) this.mem.put(at + 96, target);
    this.mem.put(at + FOLD_PREFIX, commit);
    return folded(this.wasm.fold(timestamp, target?.length ?? 0));
  }

  foldClosing(t: number, sthSig: Uint8Array): number {
    this.put(sthSig);
    return folded(this.wasm.foldClosing(t));
  }

  takeFolded(): SealedBatch {
    const batch = this.sealed(this.wasm.takeFolded());
    this.wasm.dropFolded();
    return batch;
  }

  read(request: Uint8Array, now: number, answers: readonly Uint8Array[]): ReadResult {
    const parts = [request];
    for (const answer of answers) {
      const row = new Uint8Array(8 + ((answer.length + 7) & ~7));
      new DataView(row.buffer).setUint32(0, answer.length, true);
      row.set(answer, 8);
      parts.push(row);
    }
    this.put(...parts);
    const result = this.wasm.read(request.length, now, answers.length);
    if (result === 0) return { kind: 'json', bytes: this.output().slice() };
    if (result === X.READ_NEED) return { kind: 'need', needs: this.needs() };
    if (result < 0) throw new RangeError('not a request that read answers, or not an answer to its needs');
    return { kind: 'error', code: result, detail: this.detail };
  }

  openQuery(request: Uint8Array, now: number): number {
    this.put(request);
    return this.wasm.openQuery(now);
  }

  select(request: Uint8Array, record: Uint8Array, content: Uint8Array): Uint8Array | null {
    this.put(request, record, content);
    const found = this.wasm.select(request.length, record.length, content.length);
    if (found < 0) throw new RangeError('select answers Query and Pull');
    return found === 0 ? null : this.output();
  }

  head(): Head {
    return this.headAt(this.wasm.head());
  }

  stateHash(): Uint8Array {
    return this.mem.copy(this.wasm.stateHash(), 32);
  }

  get status(): 'active' | 'paused' | 'terminated' | 'migrated' {
    return STATUS[this.wasm.status()] as (typeof STATUS)[number];
  }

  get dueAt(): number {
    return this.wasm.dueAt();
  }

  get leaves(): number {
    return this.wasm.leaves();
  }

  get timestamp(): number {
    return this.wasm.timestamp();
  }

  exportBase(): Uint8Array {
    if (this.wasm.exportBase() === 0) throw new Error('a bundle or a batch is open');
    return this.output().slice();
  }

  exportRecents(fromSeq: number): Uint8Array {
    this.wasm.exportRecents(fromSeq);
    return this.output().slice();
  }

  get memory(): number {
    return this.mem.size;
  }

  /** Runs of bytes into the input, one behind the other. */
  private put(...parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += part.length;
    let at = this.wasm.input(length);
    for (const part of parts) {
      this.mem.put(at, part);
      at += part.length;
    }
  }

  /** The output; good until the next call. */
  private output(): Uint8Array<ArrayBuffer> {
    return this.mem.peek(this.wasm.outPtr(), this.wasm.outLen());
  }

  private headAt(at: number): Head {
    const { mem } = this;
    return { seq: mem.u53(at), bundles: mem.u53(at + 8), chain: mem.copy(at + 16, 32), ctRoot: mem.copy(at + 48, 32) };
  }

  private sealed(at: number): SealedBatch {
    const { mem } = this;
    const events = mem.u32(at);
    const span = (slot: number): Uint8Array => mem.copy(mem.u32(at + slot), mem.u32(at + slot + 4));
    const offsets = mem.copy(mem.u32(at + X.SEALED_OFFSETS), (events + 1) * 4);
    return {
      events,
      closings: mem.u32(at + 4),
      firstSeq: mem.u53(at + 8),
      timestamp: mem.u53(at + 16),
      head: this.headAt(at + X.SEALED_HEAD),
      skeleton: span(X.SEALED_SKELETON),
      content: span(X.SEALED_CONTENT),
      receipts: span(X.SEALED_RECEIPTS),
      offsets: new Uint32Array(offsets.buffer),
    };
  }

  private needs(): Need[] {
    const { mem } = this;
    const at = this.wasm.outPtr();
    return Array.from({ length: this.wasm.outLen() / NEED_BYTES }, (_, i) => {
      const need = at + i * NEED_BYTES;
      return { kind: mem.u32(need), a: mem.u53(need + 8), b: mem.u53(need + 16) } as Need;
    });
  }
}

function folded(code: number): number {
  if (code < 0) throw new Error('batches are staged');
  return code;
}
