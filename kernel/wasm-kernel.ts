import type { EnclaveParams, Head, Kernel, KernelHost, Need, ReadResult, SealedBatch } from './kernel.ts';
import { STAGE_FORGED, STAGE_VERIFIED } from './kernel.ts';
import * as X from './wasm-exports.ts';
import { WasmMemory } from './wasm-memory.ts';

const STATUS = ['active', 'paused', 'terminated', 'migrated'] as const;
const HEAD_BYTES = 80;
const NEED_BYTES = 24;
const utf8 = new TextDecoder();

/** A kernel for one enclave on an instance of its own. Calls that the state does not allow throw. */
export function createWasmKernel(module: WebAssembly.Module, host: KernelHost): Kernel {
  return new WasmKernel(module, host);
}

class WasmKernel implements Kernel {
  readonly name = 'wasm';
  private readonly wasm: X.KernelExports;
  private readonly mem: WasmMemory;
  private readonly params: number;
  private readonly slots: number;
  /** what is known about the signature of the commit that is being staged */
  private verdict = 0;

  constructor(module: WebAssembly.Module, host: KernelHost) {
    const instance = new WebAssembly.Instance(module, {
      host: {
        host_sign_seq: (hash: number, sig: number): number =>
          host.signSeq(this.mem.peek(hash, 32), this.mem.peek(sig, 64)),
        host_verify: (alg: number, pub: number, hash: number, sig: number): number => {
          if (this.verdict & STAGE_VERIFIED) return 1;
          if (this.verdict & STAGE_FORGED) return 0;
          const { mem } = this;
          return host.verify(alg, mem.peek(pub, 32), mem.peek(hash, 32), mem.peek(sig, 64)) ? 1 : 0;
        },
        host_event_meta: (id: number, out: number): number =>
          host.eventMeta(this.mem.peek(id, 32), this.mem.peek(out, 128)),
      },
    });
    this.wasm = instance.exports as unknown as X.KernelExports;
    this.mem = new WasmMemory(this.wasm.memory);
    this.params = this.wasm.PARAMS.value;
    this.slots = this.wasm.RESULT.value;
  }

  create(params: EnclaveParams): void {
    this.wasm.create(this.putParams(params), params.lane, params.expWindow);
  }

  load(params: EnclaveParams, base: Uint8Array, recents: readonly Uint8Array[]): void {
    const all = recents.length === 1 ? (recents[0] as Uint8Array) : Buffer.concat(recents);
    this.put(base, all);
    const done = this.wasm.load(this.putParams(params), params.lane, params.expWindow, base.length, all.length);
    if (done === 0) throw new RangeError('not an exported state');
  }

  begin(now: number): void {
    if (this.wasm.begin(now) === 0) throw new Error('a batch is open, or three are waiting to be sealed');
  }

  stage(commit: Uint8Array, flags: number): number {
    this.mem.put(this.wasm.input(commit.length), commit);
    this.verdict = flags;
    const code = this.wasm.stage(flags);
    this.verdict = 0;
    return code;
  }

  get seq(): number {
    return this.wasm.seq();
  }

  get detail(): string {
    this.wasm.detail();
    return this.text(0);
  }

  get atBoundary(): boolean {
    return this.wasm.atBoundary() !== 0;
  }

  closeBundle(): boolean {
    return this.wasm.closeBundle() !== 0;
  }

  end(): Uint8Array {
    if (this.wasm.end() === 0) throw new Error('no batch is open');
    return this.view(0);
  }

  seal(signatures: Uint8Array): SealedBatch {
    this.put(signatures);
    if (this.wasm.seal(signatures.length) === 0)
      throw new Error('no batch has ended with so many events, or a tree head was not signed');
    return this.sealed();
  }

  replay(skeleton: Uint8Array, content: Uint8Array): void {
    this.put(skeleton, content);
    const code = this.wasm.replay(skeleton.length, content.length);
    if (code !== 0) throw new Error(`the records do not replay (${code} ${this.detail})`);
  }

  fold(commit: Uint8Array, timestamp: number, sequencer: Uint8Array, seqSig: Uint8Array, target?: Uint8Array): number {
    if (target === undefined) this.put(commit, sequencer, seqSig);
    else this.put(commit, sequencer, seqSig, target);
    return this.wasm.fold(commit.length, timestamp, target === undefined ? 0 : 1);
  }

  foldClosing(t: number, sthSig: Uint8Array): number {
    this.put(sthSig);
    return this.wasm.foldClosing(t);
  }

  takeFolded(): SealedBatch {
    this.wasm.takeFolded();
    return this.sealed();
  }

  read(request: Uint8Array, now: number, answers: readonly Uint8Array[]): ReadResult {
    const parts = [request];
    for (const answer of answers) {
      const length = new Uint8Array(8);
      new DataView(length.buffer).setUint32(0, answer.length, true);
      parts.push(length, answer);
    }
    this.put(...parts);
    const result = this.wasm.read(request.length, now, answers.length);
    if (result === X.READ_JSON) return { kind: 'json', bytes: this.view(0).slice() };
    if (result === X.READ_NEED) return { kind: 'need', needs: this.needs() };
    return { kind: 'error', code: result, detail: this.text(0) };
  }

  openQuery(request: Uint8Array, now: number): number {
    this.put(request);
    return this.wasm.openQuery(request.length, now);
  }

  select(request: Uint8Array, record: Uint8Array, content: Uint8Array): Uint8Array | null {
    this.put(request, record, content);
    return this.wasm.select(request.length, record.length, content.length) === 0 ? null : this.view(0);
  }

  head(): Head {
    this.wasm.head();
    return this.headAt(0);
  }

  stateHash(): Uint8Array {
    this.wasm.stateHash();
    return this.view(0).slice();
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
    return this.view(0).slice();
  }

  exportRecents(fromSeq: number): Uint8Array {
    this.wasm.exportRecents(fromSeq);
    return this.view(0).slice();
  }

  get memory(): number {
    return this.mem.size;
  }

  private putParams(params: EnclaveParams): number {
    const { enclave, sequencer, provisioned } = params;
    this.mem.put(this.params, enclave);
    if (sequencer) this.mem.put(this.params + 32, sequencer);
    if (provisioned?.creator) this.mem.put(this.params + 64, provisioned.creator);
    const flag = (there: unknown, bit: number): number => (there === undefined ? 0 : bit);
    return (
      flag(sequencer, X.PARAM_SEQUENCER) |
      flag(provisioned, X.PARAM_PROVISIONED) |
      flag(provisioned?.creator, X.PARAM_CREATOR)
    );
  }

  /** Runs of bytes into the input, one behind the other, each padded to 8. */
  private put(...parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += (part.length + 7) & ~7;
    let at = this.wasm.input(length);
    for (const part of parts) {
      this.mem.put(at, part);
      at += (part.length + 7) & ~7;
    }
  }

  /** The bytes of a slot; good until the next call. */
  private view(slot: number): Uint8Array<ArrayBuffer> {
    const at = this.slots + slot * 8;
    return this.mem.peek(this.mem.u32(at), this.mem.u32(at + 4));
  }

  private text(slot: number): string {
    return utf8.decode(this.view(slot));
  }

  private headAt(slot: number): Head {
    const bytes = this.view(slot);
    const view = new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES);
    return {
      seq: Number(view.getBigInt64(0, true)),
      chain: bytes.slice(8, 40),
      bundles: Number(view.getBigUint64(40, true)),
      ctRoot: bytes.slice(48, 80),
    };
  }

  private sealed(): SealedBatch {
    const bytes = this.view(X.SEALED_HEAD);
    const view = new DataView(bytes.buffer, bytes.byteOffset + HEAD_BYTES);
    const offsets = this.view(X.SEALED_OFFSETS).slice();
    return {
      events: view.getUint32(16, true),
      closings: view.getUint32(20, true),
      firstSeq: Number(view.getBigInt64(8, true)),
      skeleton: this.view(X.SEALED_SKELETON).slice(),
      content: this.view(X.SEALED_CONTENT).slice(),
      receipts: this.view(X.SEALED_RECEIPTS).slice(),
      offsets: new Uint32Array(offsets.buffer, 0, offsets.length >> 2),
      head: this.headAt(X.SEALED_HEAD),
      timestamp: Number(view.getBigUint64(0, true)),
    };
  }

  private needs(): Need[] {
    const bytes = this.view(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / NEED_BYTES }, (_, i) => {
      const at = i * NEED_BYTES;
      const kind = view.getUint32(at, true);
      return { kind, a: Number(view.getBigUint64(at + 8, true)), b: Number(view.getBigUint64(at + 16, true)) } as Need;
    });
  }
}
