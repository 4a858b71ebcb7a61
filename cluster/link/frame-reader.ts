import { FRAME_HEAD, LAST_KIND, RECORD_HEAD } from './records.ts';

/** The other side does not speak this protocol: the connection is closed. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame';
}

/**
 * Steps over the records of a frame (records.ts): the fields are those of the record at hand, until `next` is called
 * again. Views into the frame, nothing is copied. Throws MalformedFrame before anything is read that is not there.
 */
export class FrameReader {
  readonly frame: Uint8Array;
  readonly view: DataView;
  /** sender's clock, ms (modulo 2^32) */
  readonly time: number;
  kind = 0;
  flags = 0;
  code = 0;
  id = 0;
  /** where the payload begins and ends */
  from = 0;
  to = FRAME_HEAD;

  constructor(frame: Uint8Array) {
    if (frame.length < FRAME_HEAD) throw new MalformedFrame('a frame is too short');
    // No Buffer: the slices of one are views, and would keep the whole frame in memory.
    this.frame = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
    this.view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.time = this.view.getUint32(0, true);
  }

  /** False when there is no further record. */
  next(): boolean {
    const at = this.to;
    const { view } = this;
    const rest = view.byteLength - at;
    if (rest === 0) return false;
    if (rest < RECORD_HEAD) throw new MalformedFrame('a record is cut off');
    const length = view.getUint32(at, true);
    if (length < RECORD_HEAD || length > rest) throw new MalformedFrame('a record has an impossible length');
    this.kind = view.getUint8(at + 4);
    if (this.kind === 0 || this.kind > LAST_KIND) throw new MalformedFrame(`there is no kind ${this.kind}`);
    this.flags = view.getUint8(at + 5);
    this.code = view.getUint16(at + 6, true);
    this.id = view.getUint32(at + 8, true);
    this.from = at + RECORD_HEAD;
    this.to = at + length;
    return true;
  }

  payload(): Uint8Array {
    return this.frame.subarray(this.from, this.to);
  }

  /** The number at `offset` in the payload. */
  number(offset: number): number {
    if (this.from + offset + 4 > this.to) throw new MalformedFrame('a payload is too short');
    return this.view.getUint32(this.from + offset, true);
  }

  /** `length` bytes at `offset` in the payload; to its end by default. */
  bytes(offset: number, length = this.to - this.from - offset): Uint8Array {
    if (length < 0 || this.from + offset + length > this.to) throw new MalformedFrame('a payload is too short');
    return this.frame.subarray(this.from + offset, this.from + offset + length);
  }
}
