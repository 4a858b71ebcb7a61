import { concat, utf8, viewOf } from '../../protocol/bytes.ts';
import { type Commit, type CommitDraft, commitJson, enclaveIdOf, signCommit } from '../../protocol/commit.ts';
import { errorOf } from '../../protocol/errors.ts';
import { sha256 } from '../../protocol/hash.ts';
import { type EnclaveId, hex32, type PublicKey, toHex, unhex } from '../../protocol/hex.ts';
import { canonical, type Json, toJson } from '../../protocol/json.ts';
import {
  type EventRecord,
  readClosingRecord,
  readEventRecord,
  recordKind,
  splitRecords,
} from '../../protocol/records.ts';
import { noble } from '../../protocol/secp.ts';
import { makeSession } from '../../protocol/session.ts';
import {
  type EnclaveParams,
  type Inspection,
  type InspectMode,
  type Kernel,
  type KernelHost,
  type Need,
  RECORD_EVENT,
  RECORD_GENESIS,
  type SealedBatch,
} from '../kernel.ts';
import { createReferenceInspector } from './inspector.ts';
import { createReferenceKernel } from './kernel.ts';

/** A host for tests: real keys and codec, the log in arrays, every batch released at once. */
export const inspector = createReferenceInspector();
export const MINUTE = 60_000;

export interface Person {
  readonly name: string;
  readonly secret: Uint8Array;
  readonly id: PublicKey;
}

export function person(name: string): Person {
  const secret = sha256(utf8(`person ${name}`));
  return { name, secret, id: hex32(noble.publicKey(secret) as Uint8Array) };
}

export interface StoredEvent extends EventRecord {
  readonly record: Uint8Array;
  readonly body: Uint8Array;
}

/** The log as its host keeps it. */
export class MemoryLog {
  readonly events: StoredEvent[] = [];
  readonly closings: Uint8Array[] = [];
  readonly nodes = new Map<string, Uint8Array>();
  skeleton: Uint8Array = new Uint8Array(0);
  content: Uint8Array = new Uint8Array(0);

  append(batch: Pick<SealedBatch, 'skeleton' | 'content'>): void {
    this.skeleton = concat(this.skeleton, batch.skeleton);
    this.content = concat(this.content, batch.content);
    let at = 0;
    for (const record of splitRecords(batch.skeleton)) {
      if (recordKind(record) === RECORD_EVENT) {
        const event = readEventRecord(record);
        this.events.push({ ...event, record, body: batch.content.slice(at, at + event.contentLength) });
        at += event.contentLength;
      } else if (recordKind(record) !== RECORD_GENESIS) {
        const closing = readClosingRecord(record);
        this.closings.push(record);
        this.nodes.set(`0:${closing.index}`, closing.ctLeaf);
        for (const [i, node] of closing.nodes.entries())
          this.nodes.set(`${i + 1}:${(closing.index + 1) / 2 ** (i + 1) - 1}`, node);
      }
    }
  }

  meta(id: Uint8Array, out: Uint8Array): number {
    const event = this.events.find((row) => toHex(row.id) === toHex(id));
    if (event === undefined) return 0;
    out.set(event.from, 0);
    out.set(event.record.subarray(8, 16), 32);
    out.set(event.record.subarray(40, 44), 40);
    out.set(event.record.subarray(368, 370), 44);
    out.set(utf8(event.type), 46);
    return 46 + event.type.length;
  }

  answer(need: Need): Uint8Array {
    const none = new Uint8Array(0);
    switch (need.kind) {
      case 1:
        return this.nodes.get(`${need.a}:${need.b}`) ?? none;
      case 2:
        return this.closings[need.a] ?? none;
      case 3:
        return concat(...this.events.slice(need.a, need.a + need.b).map((event) => event.id));
      case 4: {
        const event = this.events[need.a];
        return event === undefined ? none : concat(event.record, event.body);
      }
      case 5:
        return this.closings.find((record) => inBundle(record, need.a)) ?? none;
    }
  }
}

function inBundle(record: Uint8Array, seq: number): boolean {
  const { firstSeq, size } = readClosingRecord(record);
  return seq >= firstSeq && seq < firstSeq + size;
}

export type Result =
  | { readonly error: string; readonly detail: string }
  | { readonly error: null; readonly seq: number; readonly receipt: string };

export interface SendOptions {
  readonly exp?: number;
  readonly tags?: readonly (readonly string[])[];
  readonly alg?: 'schnorr' | 'ecdsa';
  readonly flags?: number;
}

export class TestNode {
  readonly log = new MemoryLog();
  readonly host: KernelHost;
  kernel: Kernel;
  now = 1_700_000_000_000;
  private signed = 0;
  readonly enclave: EnclaveId;
  readonly sequencer: Person;

  constructor(enclave: EnclaveId, sequencer: Person = person('sequencer'), params: Partial<EnclaveParams> = {}) {
    this.enclave = enclave;
    this.sequencer = sequencer;
    this.host = {
      signSeq: (hash, sig) => {
        sig.set(noble.signSchnorr(sequencer.secret, hash));
        return 0;
      },
      verify: (alg, pub, hash, sig) =>
        alg === 1 ? noble.verifyEcdsa(pub, hash, sig) : noble.verifySchnorr(pub, hash, sig),
      eventMeta: (id, out) => this.log.meta(id, out),
    };
    this.kernel = createReferenceKernel(this.host);
    this.kernel.create(this.params(params));
  }

  params(more: Partial<EnclaveParams> = {}): EnclaveParams {
    return {
      enclave: unhex(this.enclave),
      lane: 0,
      expWindow: 10 * MINUTE,
      sequencer: unhex(this.sequencer.id),
      ...more,
    };
  }

  sign(who: Person, type: string, content: unknown, options: SendOptions = {}): Commit {
    // A different exp makes the same words another commit.
    const { exp = this.now + MINUTE + this.signed++, tags, alg } = options;
    const draft: CommitDraft = {
      enclave: this.enclave,
      type,
      content: toJson(content),
      exp,
      ...(tags ? { tags } : {}),
      ...(alg ? { alg } : {}),
    };
    return signCommit(draft, who.secret);
  }

  send(who: Person, type: string, content: unknown, options: SendOptions = {}): Result {
    return this.deliver(commitJson(this.sign(who, type, content, options)), options.flags);
  }

  /** One commit as one batch. */
  deliver(text: string, flags = 0): Result {
    const { bytes } = inspect(text);
    this.kernel.begin(this.now);
    const code = this.kernel.stage(bytes, flags);
    const { seq, detail } = this.kernel;
    const batch = this.finish();
    if (code > 0) return { error: errorOf(code).code, detail };
    const receipts = new TextDecoder().decode(batch.receipts);
    return { error: null, seq, receipt: code === 0 ? receipts : receiptAt(this, seq) };
  }

  /** Ends, signs and seals the batch that is begun. */
  finish(): SealedBatch {
    const batch = this.kernel.seal(signAll(this.sequencer, this.kernel.end().slice()));
    this.log.append(batch);
    return batch;
  }

  close(): void {
    this.kernel.begin(this.now);
    this.kernel.closeBundle();
    this.finish();
  }

  session(who: Person, sequencer = this.sequencer): string {
    return makeSession(who.secret, unhex(sequencer.id), Math.floor(this.now / 1000) + 3600);
  }

  request(who: Person, body: Record<string, unknown>, mode: InspectMode = 'post'): Uint8Array {
    const text = canonical(toJson({ enclave: this.enclave, from: who.id, session: this.session(who), ...body }));
    const { bytes } = inspect(text, mode);
    const code = viewOf(bytes).getUint16(4, true);
    if (code !== 0) throw new Error(`a request that is ${errorOf(code).code}`);
    return bytes;
  }

  /** The parsed answer, or the error's code. */
  read(request: Uint8Array): Record<string, unknown> | string {
    const answers: Uint8Array[] = [];
    for (;;) {
      const result = this.kernel.read(request, this.now, answers);
      if (result.kind === 'json') return JSON.parse(new TextDecoder().decode(result.bytes));
      if (result.kind === 'error') return errorOf(result.code).code;
      answers.push(...result.needs.map((need) => this.log.answer(need)));
    }
  }

  prove(who: Person, mode: InspectMode, body: Record<string, unknown>): Record<string, unknown> | string {
    return this.read(this.request(who, body, mode));
  }

  /** Events that a Query (or Pull) shows, in seq order, or the error's code. */
  query(who: Person, filter: Record<string, unknown> = {}, pull = false): Record<string, unknown>[] | string {
    const request = this.request(who, pull ? { type: 'Pull', after_seq: -1, limit: 1000 } : { type: 'Query', filter });
    const code = this.kernel.openQuery(request, this.now);
    if (code !== 0) return errorOf(code).code;
    return this.log.events.flatMap(({ record, body }) => {
      const shown = this.kernel.select(request, record, body);
      return shown === null ? [] : [JSON.parse(new TextDecoder().decode(shown))];
    });
  }

  event(seq: number): StoredEvent {
    const event = this.log.events[seq];
    if (event === undefined) throw new Error(`no event ${seq}`);
    return event;
  }
}

/** A node with an enclave whose Manifest has been accepted. */
export function found(
  creator: Person,
  manifest: Record<string, unknown>,
  params: Partial<EnclaveParams> = {},
): TestNode {
  const content = toJson({ enc_v: 2, ...manifest });
  const node = new TestNode(enclaveIdOf(creator.id, content), person('sequencer'), params);
  const result = node.send(creator, 'Manifest', content);
  if (result.error !== null) throw new Error(`the Manifest is refused: ${result.error} ${result.detail}`);
  return node;
}

export function manifestOf(manifest: Record<string, unknown>): Json {
  return toJson({ enc_v: 2, ...manifest });
}

export function inspect(text: string, mode: InspectMode = 'post'): Inspection {
  const inspection = inspector.inspect(utf8(text), mode);
  if (inspection.kind === 'error') throw new Error(`a body that is ${errorOf(inspection.code).code}`);
  return inspection;
}

export function signAll(sequencer: Person, hashes: Uint8Array): Uint8Array {
  const count = hashes.length / 32;
  return concat(
    ...Array.from({ length: count }, (_, i) =>
      noble.signSchnorr(sequencer.secret, hashes.subarray(32 * i, 32 * i + 32)),
    ),
  );
}

function receiptAt(node: TestNode, seq: number): string {
  return new TextDecoder().decode(inspector.receipt(unhex(node.enclave), node.event(seq).record));
}
