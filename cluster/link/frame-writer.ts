import { FRAME_HEAD, RECORD_HEAD, REQUEST, REQUEST_HEAD, TRACED } from './records.ts';

/** A frame begins this large; one that outgrows it is copied into a larger one. */
const FIRST_BYTES = 64 * 1024;
/** Buffers that are kept for the next frames: more than that are under way only while the other side is slow. */
const MAX_FREE = 4;
/** A frame that has grown to this is sent without waiting for the end of the turn, so that none gets very large. */
const ENOUGH_BYTES = 512 * 1024;

export interface RequestRecord {
  readonly op: number;
  readonly flags: number;
  readonly id: number;
  readonly version: number;
  /** ms left until nobody waits for the answer */
  readonly left: number;
  readonly enclave: Uint8Array;
  /** encoded (trace-context.ts); null: the request is not traced */
  readonly trace: Uint8Array | null;
  readonly body: Uint8Array;
}

/**
 * Hands a frame on, and calls `sent` when nobody looks at its bytes any more: they are written over then. Where it never
 * calls, they are its own.
 */
export type SendFrame = (frame: Uint8Array, sent: () => void) => void;

/**
 * Collects the records of one event-loop turn into one frame. `send` gets the frame; it is called at the end of the turn,
 * or at once when the frame is large.
 */
export class FrameWriter {
  readonly #send: SendFrame;
  readonly #now: () => number;
  readonly #flush = (): void => this.flush();
  readonly #free: Buffer<ArrayBuffer>[] = [];
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = FRAME_HEAD;
  #scheduled = false;
  #closed = false;

  constructor(send: SendFrame, now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  request(r: RequestRecord): void {
    const { trace } = r;
    const flags = trace === null ? r.flags : r.flags | TRACED;
    const body = REQUEST_HEAD + (trace === null ? 0 : trace.length);
    const at = this.#begin(REQUEST, flags, r.op, r.id, body - RECORD_HEAD + r.body.length);
    this.#view.setUint32(at + 12, r.version, true);
    this.#view.setUint32(at + 16, r.left, true);
    this.#bytes.set(r.enclave, at + 20);
    if (trace !== null) this.#bytes.set(trace, at + REQUEST_HEAD);
    this.#bytes.set(r.body, at + body);
    this.#ended();
  }

  /** A record whose payload is these bytes. */
  record(kind: number, flags: number, code: number, id: number, payload: Uint8Array): void {
    const at = this.#begin(kind, flags, code, id, payload.length);
    this.#bytes.set(payload, at + RECORD_HEAD);
    this.#ended();
  }

  /** A record whose payload is some numbers. */
  numbers(kind: number, flags: number, id: number, ...payload: readonly number[]): void {
    const at = this.#begin(kind, flags, 0, id, payload.length * 4);
    for (let i = 0; i < payload.length; i++) this.#view.setUint32(at + RECORD_HEAD + i * 4, payload[i] as number, true);
    this.#ended();
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#at === FRAME_HEAD || this.#closed) return;
    this.#view.setUint32(0, Math.floor(this.#now()) >>> 0, true);
    const bytes = this.#bytes;
    const frame = bytes.subarray(0, this.#at);
    this.#bytes = this.#free.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
    this.#at = FRAME_HEAD;
    this.#send(frame, () => {
      if (bytes.length === FIRST_BYTES && this.#free.length < MAX_FREE) this.#free.push(bytes);
    });
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closed = true;
  }

  #begin(kind: number, flags: number, code: number, id: number, payload: number): number {
    const length = RECORD_HEAD + payload;
    const at = this.#at;
    if (at + length > this.#bytes.length) this.#grow(at + length);
    const view = this.#view;
    view.setUint32(at, length, true);
    view.setUint8(at + 4, kind);
    view.setUint8(at + 5, flags);
    view.setUint16(at + 6, code, true);
    view.setUint32(at + 8, id, true);
    this.#at = at + length;
    return at;
  }

  #ended(): void {
    if (this.#at >= ENOUGH_BYTES) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  #grow(need: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(need, this.#bytes.length * 4));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
