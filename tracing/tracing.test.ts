import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { localTracing } from '../test/tracing/local-tracing.ts';
import { type Sampling, withinRatio } from './sampling.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const sampled = `00-${TRACE}-${SPAN}-01`;
const unsampled = `00-${TRACE}-${SPAN}-00`;

/** A door of which each request says how it is sampled, and whose spans stay here. */
class Door {
  #local = localTracing();
  answered: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end();
  readonly server = createServer((request, response) => {
    const traced = this.#local.tracing.call(request, response, '/:id');
    if (traced) response.setHeader('traceresponse', traced.header);
    this.answered(request, response);
  });

  /** From now on, with no spans yet. */
  sampling(sampling: Sampling): void {
    this.#local = localTracing(sampling);
  }

  get spans(): ReadableSpan[] {
    return this.#local.finished();
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** `traceresponse` of a request with these headers, '' if it was not traced. */
  async ask(sampling: Sampling, ...headers: string[]): Promise<string> {
    this.sampling(sampling);
    const lines = ['GET /x?secret=1 HTTP/1.1', 'host: x', 'connection: close', ...headers, '', ''];
    const socket = connect(this.port, '127.0.0.1');
    socket.end(lines.join('\r\n'));
    let answer = '';
    for await (const part of socket) answer += String(part);
    assert.match(answer, /^HTTP\/1.1 200/);
    return /^traceresponse: (\S+)\r$/im.exec(answer)?.[1] ?? '';
  }
}

describe('who is traced', () => {
  const door = new Door();
  before(() => new Promise<void>((resolve) => void door.server.listen(0, '127.0.0.1', resolve)));
  after(() => new Promise((resolve) => door.server.close(resolve)));
  const always = { ratio: 1, parentBased: true };
  const never = { ratio: 0, parentBased: true };

  test('without a caller that traces, the ratio decides', async () => {
    assert.match(await door.ask(always), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.equal(await door.ask(never), '');
  });

  test('parentbased: a caller that says whether it is sampled is believed', async () => {
    const trace = await door.ask(never, `traceparent: ${sampled}`);
    assert.match(trace, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    assert.ok(!trace.includes(SPAN));
    assert.equal(await door.ask(always, `TraceParent: ${unsampled}`), '');
  });

  test('else the ratio decides for it too, and its trace goes on', async () => {
    assert.equal(await door.ask({ ratio: 0, parentBased: false }, `traceparent: ${sampled}`), '');
    const trace = await door.ask({ ratio: 1, parentBased: false }, `traceparent: ${unsampled}`);
    assert.match(trace, new RegExp(`^00-${TRACE}-`));
  });

  test('what is no traceparent names nobody', async () => {
    const wrong = [
      '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `ff-${TRACE}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-01-more`,
      `00-${TRACE}-${SPAN}`,
      '',
    ];
    for (const header of wrong) {
      assert.equal(await door.ask(never, `traceparent: ${header}`), '', header);
      assert.ok(!(await door.ask(always, `traceparent: ${header}`)).includes(TRACE), header);
    }
    assert.ok(!(await door.ask(always, `traceparent: ${sampled}`, `traceparent: ${sampled}`)).includes(TRACE), 'two');
    // A version of later has more fields, and is read as far as it is known (W3C Trace Context §4.3).
    assert.ok((await door.ask(never, `traceparent: 01-${TRACE}-${SPAN}-01-more`)).includes(TRACE));
  });

  test('a share of the calls is traced, and nobody beyond it', () => {
    // 4,000 draws: a share off by more than 6 standard deviations comes once in 10^9 runs.
    const request = { rawHeaders: [], headers: {}, method: 'GET', httpVersion: '1.1' } as unknown as IncomingMessage;
    const response = { once: () => {} } as unknown as ServerResponse;
    const { tracing } = localTracing({ ratio: 0.25, parentBased: true });
    const traced = Array.from({ length: 4000 }, () => tracing.call(request, response, '/')).filter(Boolean).length;
    assert.ok(Math.abs(traced - 1000) < 165, `${traced} of 4,000`);
  });

  test('whoever asks for more of the traces of others gets those of who asks for less', () => {
    const ids = Array.from(
      { length: 1000 },
      (_, i) => TRACE.slice(0, 18) + (i * 0x418937).toString(16).padStart(14, '5'),
    );
    for (const id of ids) {
      assert.equal(withinRatio(id, 1), true);
      assert.equal(withinRatio(id, 0), false);
      if (withinRatio(id, 0.1)) assert.ok(withinRatio(id, 0.2));
    }
    const ends = (low: string): string => TRACE.slice(0, 18) + low.padEnd(14, '0');
    assert.deepEqual(
      ['7', '8', 'f'].map((low) => withinRatio(ends(low), 0.5)),
      [false, true, true],
    );
  });

  test('a span tells of the call and not of its query, and ends when the answer has left', async () => {
    await door.ask(always, `traceparent: ${sampled}`, 'tracestate: a=b', 'tracestate: c=d');
    const [span] = door.spans;
    assert.ok(span);
    assert.equal(span.name, 'GET /:id');
    assert.equal(span.attributes['url.path'], '/x');
    assert.doesNotMatch(JSON.stringify(span.attributes), /secret/);
    assert.deepEqual(
      [span.parentSpanContext?.spanId, span.spanContext().traceState?.serialize(), span.status.code],
      [SPAN, 'a=b,c=d', 0],
    );
    const took = span.duration[0] * 1000 + span.duration[1] / 1e6;
    assert.ok(took >= 0 && took < 60_000, `${took} ms`);
    assert.ok(Math.abs(span.startTime[0] * 1000 - Date.now()) < 60_000);
  });

  test('a client that goes before its answer is told of', async () => {
    const gone = new Promise<void>((resolve) => {
      door.answered = (request, response) => {
        response.once('close', resolve);
        request.socket.destroy();
      };
    });
    door.sampling(always);
    const socket = connect(door.port, '127.0.0.1').on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await gone;
    const [span] = door.spans;
    assert.deepEqual([span?.attributes['error.type'], span?.status.code], ['client_gone', 2]);
  });
});
