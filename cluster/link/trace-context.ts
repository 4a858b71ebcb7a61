import type { TraceContext } from '../../tracing/traced.ts';
import { MalformedFrame } from './frame-reader.ts';

/**
 * The span that a request goes on under, as it stands before the body of a traced REQUEST (records.ts):
 *
 *   0 bytes16 trace id   16 bytes8 span id   24 u8 flags   25 u16 length and text of `tracestate`
 */
const STATE = 27;
/** Longer ones are left away whole, as W3C Trace Context §3.3.1.5 allows. */
const MAX_STATE = 512;

export function encodeTraceContext({ traceId, spanId, flags, state }: TraceContext): Uint8Array {
  const text = state.length > MAX_STATE ? '' : state;
  const bytes = Buffer.alloc(STATE + text.length);
  bytes.write(traceId, 0, 16, 'hex');
  bytes.write(spanId, 16, 8, 'hex');
  bytes.writeUInt8(flags & 0xff, 24);
  bytes.writeUInt16LE(text.length, 25);
  bytes.write(text, STATE, 'latin1');
  return bytes;
}

/** From the start of `bytes`, and how many of them it took. Throws MalformedFrame. */
export function decodeTraceContext(bytes: Uint8Array): { context: TraceContext; length: number } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (all.length < STATE) throw new MalformedFrame('a trace context is cut off');
  const length = STATE + all.readUInt16LE(25);
  if (length > Math.min(all.length, STATE + MAX_STATE)) throw new MalformedFrame('a trace context is cut off');
  const context = {
    traceId: all.toString('hex', 0, 16),
    spanId: all.toString('hex', 16, 24),
    flags: all.readUInt8(24),
    state: all.toString('latin1', STATE, length),
  };
  return { context, length };
}
