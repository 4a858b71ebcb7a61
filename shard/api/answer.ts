import type { FastifyReply } from 'fastify';
import { errorOf } from '../../protocol/errors.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Where error answers are counted. */
export interface AnswerMetrics {
  readonly answers: { inc(labels: { code: string }): void };
}

/** Seconds after which a client may try again, for the codes that say so (PROTOCOL §9). */
const RETRY_AFTER: Readonly<Record<string, string>> = {
  overloaded: '1',
  rate_limited: '1',
  unavailable: '1',
  fenced: '1',
};

/** Sends an answer that is JSON bytes already: `code` 0, or the error number that the bytes tell of. */
export function send(reply: FastifyReply, code: number, body: Uint8Array, metrics: AnswerMetrics | null): void {
  if (code === 0) {
    // No hook and no serializer has a part in it, so it goes to Node's response at once.
    reply.hijack();
    reply.raw.writeHead(200, ['content-type', JSON_TYPE, 'content-length', String(body.length)]);
    reply.raw.end(body);
    return;
  }
  const entry = errorOf(code);
  metrics?.answers.inc({ code: entry.code });
  const retry = RETRY_AFTER[entry.code];
  if (retry) reply.header('retry-after', retry);
  reply.code(entry.status).header('content-type', JSON_TYPE).send(body);
}
