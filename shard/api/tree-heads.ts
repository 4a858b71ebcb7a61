import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { REQUEST_CONSISTENCY, REQUEST_STH } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { errorBytes } from '../enclave/answers.ts';
import { getRequest } from '../enclave/reads.ts';
import { send } from './answer.ts';
import type { ApiContext } from './context.ts';
import { hex32, hex64, queryInteger } from './params.ts';

const INVALID_ROUTE = errorNumber('invalid_route');
const INVALID_FILTER = errorNumber('invalid_filter');

interface Params {
  readonly enclave: string;
  readonly hash?: string;
}

/** `GET /:enclave/sth`, `/consistency` and `/receipt/:hash` (PROTOCOL §9): public reads by path. */
export function treeHeadRoutes(app: FastifyInstance, context: ApiContext): void {
  const { reads, metrics } = context;
  const fail = (reply: FastifyReply, code: number) => send(reply, code, errorBytes(code), metrics);

  const sth = async (request: FastifyRequest, reply: FastifyReply) => {
    const enclave = hex32((request.params as Params).enclave);
    if (!enclave) return fail(reply, INVALID_ROUTE);
    const { code, body } = await reads.read(getRequest(REQUEST_STH, enclave));
    send(reply, code, body, metrics);
    return reply;
  };
  app.get('/:enclave/sth', sth);
  app.get('/enclave/:enclave/sth', sth);

  app.get('/:enclave/consistency', async (request, reply) => {
    const enclave = hex32((request.params as Params).enclave);
    if (!enclave) return fail(reply, INVALID_ROUTE);
    const query = request.query as { from?: unknown; to?: unknown };
    const from = queryInteger(query.from);
    const to = queryInteger(query.to);
    if (from === null || from < 0 || to === null) return fail(reply, INVALID_FILTER);
    const { code, body } = await reads.read(getRequest(REQUEST_CONSISTENCY, enclave, from, to));
    send(reply, code, body, metrics);
    return reply;
  });

  app.get('/:enclave/receipt/:hash', async (request, reply) => {
    const params = request.params as Params;
    const enclave = hex32(params.enclave);
    const hash = hex32(params.hash);
    if (!enclave || !hash) return fail(reply, INVALID_ROUTE);
    const sig = hex64((request.query as { sig?: unknown }).sig) ?? new Uint8Array(64);
    const { code, body } = await reads.receipt(enclave, hash, sig);
    send(reply, code, body, metrics);
    return reply;
  });
}
