import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, MalformedFrame } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import {
  ANSWER,
  CREDIT,
  DATA,
  FRAME_HEAD,
  LAST_KIND,
  MOVED,
  RECORD_HEAD,
  RELEASED,
  REQUEST,
  TRACED,
} from './records.ts';
import { decodeTraceContext, encodeTraceContext } from './trace-context.ts';

const SEED = Number(process.env['ENC_TEST_SEED'] ?? Date.now() % 1_000_000);

interface Seen {
  readonly kind: number;
  readonly flags: number;
  readonly code: number;
  readonly id: number;
  readonly payload: Buffer;
}

function read(frame: Uint8Array): Seen[] {
  const reader = new FrameReader(frame);
  const seen: Seen[] = [];
  while (reader.next()) {
    const { kind, flags, code, id } = reader;
    seen.push({ kind, flags, code, id, payload: Buffer.from(reader.payload()) });
  }
  return seen;
}

/** What `write` makes in one turn, frame by frame. */
function frames(write: (writer: FrameWriter) => void): Uint8Array[] {
  const sent: Uint8Array[] = [];
  const writer = new FrameWriter(
    (frame) => sent.push(frame),
    () => 7,
  );
  write(writer);
  writer.flush();
  return sent;
}

const record = fc.record(
  {
    kind: fc.integer({ min: 1, max: LAST_KIND }),
    flags: fc.integer({ min: 0, max: 255 }),
    code: fc.integer({ min: 0, max: 65_535 }),
    id: fc.integer({ min: 0, max: 0xffffffff }),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  },
  { noNullPrototype: true },
);

describe('frames', () => {
  test('the bytes of a frame change only once it is said to be sent', () => {
    const sent: { frame: Uint8Array; done: () => void }[] = [];
    const writer = new FrameWriter(
      (frame, done) => void sent.push({ frame, done }),
      () => 7,
    );
    const write = (id: number): void => {
      writer.record(ANSWER, 0, 0, id, Buffer.alloc(100, id));
      writer.flush();
    };
    for (let id = 1; id <= 20; id++) write(id);
    for (const [i, { frame }] of sent.entries()) assert.equal(read(frame)[0]?.id, i + 1);
    for (const { done } of sent.splice(0)) done();
    const buffers = new Set<ArrayBufferLike>();
    for (let id = 1; id <= 20; id++) {
      write(id);
      const { frame, done } = sent.shift() as (typeof sent)[number];
      assert.deepEqual([read(frame)[0]?.id, read(frame).length], [id, 1]);
      buffers.add(frame.buffer);
      done();
    }
    assert.ok(buffers.size <= 2, 'what has been sent is used again');
  });

  test('a request comes out as it went in', () => {
    const enclave = Buffer.alloc(32, 9);
    const body = Buffer.from('{"exp":1}');
    const [frame] = frames((w) =>
      w.request({ op: 3, flags: 5, id: 77, version: 12, left: 4000, enclave, trace: null, body }),
    );
    const r = new FrameReader(frame as Uint8Array);
    assert.equal(r.time, 7);
    assert.equal(r.next(), true);
    assert.deepEqual([r.kind, r.code, r.flags, r.id, r.number(0), r.number(4)], [REQUEST, 3, 5, 77, 12, 4000]);
    assert.deepEqual(Buffer.from(r.bytes(8, 32)), enclave);
    assert.deepEqual(Buffer.from(r.bytes(40)), body);
    assert.equal(r.next(), false);
  });

  test('a traced request has its context before the body', () => {
    const context = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: 'a=b' };
    const [enclave, body] = [Buffer.alloc(32, 9), Buffer.from('{"exp":1}')];
    const trace = encodeTraceContext(context);
    const [frame] = frames((w) => w.request({ op: 3, flags: 5, id: 7, version: 1, left: 1, enclave, trace, body }));
    const r = new FrameReader(frame as Uint8Array);
    assert.equal(r.next(), true);
    assert.equal(r.flags, 5 | TRACED);
    const read = decodeTraceContext(r.bytes(40));
    assert.deepEqual(read, { context, length: trace.length });
    assert.deepEqual(Buffer.from(r.bytes(40 + read.length)), body);
    assert.equal(r.next(), false);
  });

  test('a trace context that is cut off is malformed; a state that is too long stays away', () => {
    const context = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), flags: 1, state: 'x=y' };
    const bytes = encodeTraceContext(context);
    for (let length = 0; length < bytes.length; length++)
      assert.throws(() => decodeTraceContext(bytes.subarray(0, length)), MalformedFrame);
    const long = encodeTraceContext({ ...context, state: `x=${'y'.repeat(511)}` });
    assert.deepEqual(decodeTraceContext(long).context, { ...context, state: '' });
    const forged = Buffer.concat([bytes, Buffer.alloc(1000)]);
    forged.writeUInt16LE(513, 25);
    assert.throws(() => decodeTraceContext(forged), MalformedFrame);
  });

  test('records of one turn share a frame; so do those that make it grow', async () => {
    const sent: Uint8Array[] = [];
    const writer = new FrameWriter(
      (frame) => sent.push(frame),
      () => 0,
    );
    const large = Buffer.alloc(100_000, 1);
    for (let i = 0; i < 4; i++) writer.record(ANSWER, 0, 0, i, large);
    writer.numbers(MOVED, RELEASED, 9, 4);
    assert.equal(sent.length, 0);
    await new Promise(setImmediate);
    assert.equal(sent.length, 1);
    const seen = read(sent[0] as Uint8Array);
    assert.deepEqual(
      seen.map(({ id }) => id),
      [0, 1, 2, 3, 9],
    );
    assert.ok(seen.slice(0, 4).every(({ payload }) => payload.equals(large)));
  });

  test('a frame that is large enough does not wait for the end of the turn, and its bytes stay as they are', () => {
    const sent: Uint8Array[] = [];
    const writer = new FrameWriter(
      (frame) => sent.push(frame),
      () => 0,
    );
    writer.record(DATA, 0, 0, 1, Buffer.alloc(600_000, 1));
    assert.equal(sent.length, 1);
    const before = Buffer.from(sent[0] as Uint8Array);
    writer.record(DATA, 0, 0, 2, Buffer.alloc(600_000, 2));
    assert.ok(before.equals(sent[0] as Uint8Array));
  });

  test('a closed writer sends nothing', () => {
    const sent = frames((writer) => {
      writer.record(DATA, 0, 0, 1, Buffer.from('x'));
      writer.close();
    });
    assert.deepEqual(sent, []);
  });

  test(`any records survive the way (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), (records) => {
        const sent = frames((w) => {
          for (const { kind, flags, code, id, payload } of records) w.record(kind, flags, code, id, payload);
        });
        assert.deepEqual(sent.flatMap(read), records);
      }),
      { seed: SEED },
    );
  });

  test(`hostile bytes are malformed or read within their bounds, and end (seed ${SEED})`, () => {
    let malformed = 0;
    let whole = 0;
    const walk = (frame: Uint8Array): void => {
      try {
        const r = new FrameReader(frame);
        for (let before = FRAME_HEAD; r.next(); before = r.to) {
          assert.ok(r.from === before + RECORD_HEAD && r.to >= r.from && r.to <= frame.length);
          r.payload();
          if (r.kind === REQUEST) r.bytes(8, 32);
          if (r.kind === CREDIT) r.number(0);
        }
        whole++;
      } catch (error) {
        assert.ok(error instanceof MalformedFrame, String(error));
        malformed++;
      }
    };
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 8 }),
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(),
        (records, junk, at) => {
          const [frame] = frames((w) => {
            w.numbers(CREDIT, 0, 1, 5);
            for (const { kind, flags, code, id, payload } of records) w.record(kind, flags, code, id, payload);
          });
          const bytes = Buffer.from(frame as Uint8Array);
          walk(junk);
          walk(bytes.subarray(0, at % bytes.length));
          for (let i = 0; i < 4; i++) bytes[(at + i * 13) % bytes.length] = (at >> (i * 3)) & 0xff;
          walk(bytes);
        },
      ),
      { seed: SEED, numRuns: 3000 },
    );
    assert.ok(malformed > 1000 && whole > 500, `${malformed} malformed, ${whole} whole`);
  });

  test('a payload that is shorter than its kind asks for is malformed', () => {
    const [frame] = frames((w) => w.record(REQUEST, 0, 1, 1, Buffer.alloc(39)));
    const r = new FrameReader(frame as Uint8Array);
    r.next();
    assert.throws(() => r.bytes(8, 32), MalformedFrame);
    assert.throws(() => r.bytes(40), MalformedFrame);
    assert.throws(() => r.number(36), MalformedFrame);
  });
});
