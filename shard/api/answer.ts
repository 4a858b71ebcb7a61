import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { errorOf } from '../../protocol/errors.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { ErrorTally } from './answer-tally.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Tells whoever called what to look for: the trace, and the span that its call became (W3C Trace Context, draft). */
export const TRACE_RESPONSE = 'traceresponse';

/** Seconds after which a client may try again, for the codes that say so (PROTOCOL §9). */
const RETRY_AFTER: Readonly<Record<string, string>> = {
  overloaded: '1',
  rate_limited: '1',
  unavailable: '1',
  fenced: '1',
};

/** Longer bodies are written as they are: as text they would be copied once more than they are worth. */
const TEXT_BYTES = 16 * 1024;

/**
 * Answers with JSON bytes: `code` 0, or the error number that they tell of. No hook or serializer has a part in it.
 * `trace`: the span of the call, which the caller is told of in `traceresponse`.
 */
export function answer(response: ServerResponse, code: number, body: Uint8Array, trace: Traced | null): void {
  const headers = ['content-type', JSON_TYPE, 'content-length', String(body.length)];
  let status = 200;
  if (code !== 0) {
    const entry = errorOf(code);
    status = entry.status;
    const retry = RETRY_AFTER[entry.code];
    if (retry) headers.push('retry-after', retry);
  }
  if (trace !== null) {
    headers.push(TRACE_RESPONSE, trace.header);
    trace.set({ 'http.response.status_code': status });
    noteError(trace, code);
  }
  response.writeHead(status, headers);
  // As text of one byte a character, Node joins it to the head and writes both in one piece.
  if (body.length > TEXT_BYTES) response.end(body);
  else response.end(Buffer.prototype.latin1Slice.call(body, 0, body.length), 'latin1');
}

/** Notes an answer's error number on the span of its call. Only a fault of this side is one of the span (OpenTelemetry, HTTP spans). */
export function noteError(trace: Traced, code: number): void {
  if (code === 0) return;
  const { code: type, status } = errorOf(code);
  if (status >= 500) trace.fail(type);
  else trace.set({ 'error.type': type });
}

/** The same through fastify, for what it refuses itself: it has headers of its own to add. */
export function refuse(reply: FastifyReply, code: number, body: Uint8Array, answers: ErrorTally | null): void {
  const entry = errorOf(code);
  answers?.count(code);
  const retry = RETRY_AFTER[entry.code];
  if (retry) reply.header('retry-after', retry);
  reply.code(entry.status).header('content-type', JSON_TYPE).send(body);
}
