import type { Readable } from 'node:stream';
import type { FrameWriter } from '../../cluster/link/frame-writer.ts';
import {
  ABORT,
  ADMIN,
  ANSWER,
  ANSWER_CREDIT,
  BEGIN,
  CREDIT,
  DATA,
  END,
  MISROUTED,
  MOVED,
  NOBODY,
  RELEASED,
  STREAM_JSON,
  STREAM_SNAPSHOT,
  TAKE_OVER,
} from '../../cluster/link/records.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { Traced } from '../../tracing/traced.ts';
import { noteError } from '../api/answer.ts';
import type { Exchange, StreamKind } from '../api/api.ts';
import { errorBytes, failureCode } from '../enclave/answers.ts';
import type { Elsewhere, Ownership } from '../ownership/ownership.ts';
import { Upload } from './upload.ts';

const FENCED = errorNumber('fenced');
const INTERNAL = errorNumber('internal');
const NOTHING = new Uint8Array(0);

/** What a call became here. */
type Outcome = 'answered' | 'moved' | 'misrouted' | 'cancelled';

/** What the exchanges of one link share. */
export interface LinkSide {
  readonly writer: FrameWriter;
  readonly ownership: Ownership;
  /** the exchange has been answered: its place in the window is free */
  readonly answered: (exchange: LinkExchange, code: number) => void;
  readonly failed: (error: unknown, trace: Traced | null) => void;
}

/** A call that a router passed on, and the way back to it. */
export class LinkExchange implements Exchange {
  readonly id: number;
  readonly enclave: Uint8Array;
  readonly body: Uint8Array;
  readonly trace: Traced | null;
  readonly #side: LinkSide;
  readonly #flags: number;
  #credit = ANSWER_CREDIT;
  #drained: (() => void)[] = [];
  #upload: Upload | null = null;
  #begun = false;
  #over = false;

  /** `enclave`, `body`: views that nobody writes to; of an upload the body is empty. */
  constructor(side: LinkSide, id: number, flags: number, enclave: Uint8Array, body: Uint8Array, trace: Traced | null) {
    this.#side = side;
    this.id = id;
    this.#flags = flags;
    this.enclave = enclave;
    this.body = body;
    this.trace = trace;
  }

  /** Limits per address are the router's: it sees the addresses. */
  get address(): string {
    return '';
  }

  get upload(): Readable {
    this.#upload ??= new Upload((bytes) => {
      if (!this.#over) this.#side.writer.numbers(CREDIT, 0, this.id, bytes);
    });
    return this.#upload;
  }

  get gone(): boolean {
    return this.#over;
  }

  isAdmin(): boolean {
    return (this.#flags & ADMIN) !== 0;
  }

  admit(bytes: Uint8Array, at: number): boolean {
    const meant = bytes.subarray(at, at + 32);
    if (Buffer.compare(meant, this.enclave) !== 0) {
      // The router looked for the enclave in the body without reading all of it, and found another one.
      this.#close(0, 'misrouted');
      this.#side.writer.record(MISROUTED, 0, 0, this.id, meant);
      return false;
    }
    return this.admitted();
  }

  /** May the enclave that the router named be served here? If not, the router has been told where. */
  admitted(): boolean {
    const elsewhere = this.#side.ownership.admit(this.enclave, (this.#flags & TAKE_OVER) !== 0);
    if (elsewhere === null) return true;
    this.#moved(elsewhere);
    return false;
  }

  answer(code: number, body: Uint8Array): void {
    if (this.#over) return;
    if (code === FENCED) return void this.#fenced();
    this.#close(code);
    this.#side.writer.record(ANSWER, 0, code, this.id, body);
  }

  begin(kind: StreamKind): void {
    this.#begun = true;
    if (this.#over) return;
    this.#side.writer.record(BEGIN, 0, kind === 'json' ? STREAM_JSON : STREAM_SNAPSHOT, this.id, NOTHING);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true;
    this.#credit -= bytes.length;
    this.#side.writer.record(DATA, 0, 0, this.id, bytes);
    return this.#credit > 0;
  }

  drained(): Promise<void> {
    if (this.#over || this.#credit > 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  end(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#close(0);
    this.#side.writer.record(END, 0, 0, this.id, bytes);
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.#side.failed(error, this.trace);
    if (this.#begun) {
      this.#close(INTERNAL);
      this.#side.writer.record(ABORT, 0, 0, this.id, NOTHING);
      return;
    }
    const code = failureCode(error);
    this.answer(code, errorBytes(code));
  }

  /** The router has read this much of the answer. */
  granted(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > 0) this.#wake();
  }

  /** False if the router sends what it had no credit for. */
  arrived(bytes: Uint8Array, last: boolean): boolean {
    const fits = this.#upload?.arrived(bytes) ?? bytes.length === 0;
    if (last) this.#upload?.ended();
    return fits;
  }

  /** The router no longer waits, or is gone. */
  cancel(): void {
    if (this.#over) return;
    this.#close(0, 'cancelled');
  }

  async #fenced(): Promise<void> {
    const elsewhere = await this.#side.ownership.lost(this.enclave);
    if (!this.#over) this.#moved(elsewhere);
  }

  #moved({ shard, released }: Elsewhere): void {
    this.#close(0, 'moved');
    this.#side.writer.numbers(MOVED, released ? RELEASED : 0, this.id, shard ?? NOBODY);
  }

  #close(code: number, outcome: Outcome = 'answered'): void {
    this.#over = true;
    this.#upload?.destroy();
    this.#wake();
    if (this.trace !== null) this.#endTrace(this.trace, code, outcome);
    this.#side.answered(this, code);
  }

  #endTrace(trace: Traced, code: number, outcome: Outcome): void {
    trace.set({ 'enc.outcome': outcome });
    noteError(trace, code);
    trace.end();
  }

  #wake(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
