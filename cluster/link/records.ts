/**
 * What travels between a router and a shard (ARCHITECTURE §4): one binary WebSocket per pair, on which each message is a
 * frame: u32 time (ms since the sender opened its side, for lateness), then records, one behind the other. One frame
 * carries whatever one event-loop turn had to say. All numbers are little-endian; bodies and answers are raw bytes.
 *
 * Record
 *   0 u32 length, this head included      4 u8 kind      5 u8 flags      6 u16 code      8 u32 id (0: of the link itself)
 *  12 payload
 *
 * kind        code                payload
 * REQUEST  →  op (calls.ts)       0 u32 topology version   4 u32 ms left to answer   8 bytes32 enclave   40 arguments, body
 *                                 (flag TRACED: at 40 a trace context, trace-context.ts, and the rest behind it)
 * DATA     ↔                      bytes of a stream; never more than the other side has given credit for
 * END      ↔                      the last bytes of a stream
 * CREDIT   ↔                      0 u32 further bytes that the stream may send
 * CANCEL   →                      the router no longer waits for this answer
 * ANSWER   ←  0 or error number   JSON bytes: a whole answer
 * BEGIN    ←  stream kind         an answer that is streamed: DATA…, END or ABORT follow
 * ABORT    ↔                      the stream broke off
 * MOVED    ←                      0 u32 shard that owns the enclave   (flag RELEASED: it must be asked with TAKE_OVER)
 * MISROUTED ←                     0 bytes32 enclave that the body is really about
 * STALE    ←                      the request came under an older topology; a TOPOLOGY record stands before it
 * TOPOLOGY ↔                      0 u32 version   4 u32 shards   8 u32 shards before   (more may follow)
 * LEAVING  ←                      the shard drains: ask others
 *
 * A request that is answered (ANSWER, END, ABORT, MOVED, MISROUTED, STALE) gives its place in the window back. Further
 * fields are only ever added at the end of a payload, and new kinds and layouts only under a higher version of the
 * handshake, so neighbouring versions understand each other. Version 2 has TRACED, which none is sent under version 1.
 */
export const REQUEST = 1;
export const DATA = 2;
export const END = 3;
export const CREDIT = 4;
export const CANCEL = 5;
export const ANSWER = 6;
export const BEGIN = 7;
export const ABORT = 8;
export const MOVED = 9;
export const MISROUTED = 10;
export const STALE = 11;
export const TOPOLOGY = 12;
export const LEAVING = 13;
/** kinds are 1 … 13 */
export const LAST_KIND = 13;

/** Flags of REQUEST. */
export const TAKE_OVER = 1; // open the enclave even if another shard is its first choice
export const ADMIN = 2; // the caller is the operator
export const BY_PATH = 4; // the enclave stands in the path of the call
export const ANYWHERE = 8; // the call is about no enclave: every shard answers the same
export const TRACED = 16; // since version 2: a trace context stands before arguments and body
/** Flag of MOVED. */
export const RELEASED = 1;

/** No shard is known to own it. */
export const NOBODY = 0xffffffff;

export const FRAME_HEAD = 4;
export const RECORD_HEAD = 12;
export const REQUEST_HEAD = RECORD_HEAD + 40;

/** Codes of BEGIN. */
export const STREAM_JSON = 0;
export const STREAM_SNAPSHOT = 1;

/** Bytes that an answer may send before the first CREDIT. An upload may send none: the call may be MOVED first. */
export const ANSWER_CREDIT = 256 * 1024;
/** What a reader of an upload grants at a time. */
export const UPLOAD_WINDOW = 256 * 1024;

/** Close codes of the WebSocket, with what the other side should make of them. */
export const CLOSE = {
  malformed: 4400,
  unauthorized: 4401,
  wrongShard: 4404,
  late: 4408,
  overrun: 4413,
  version: 4426,
  full: 4429,
} as const;
