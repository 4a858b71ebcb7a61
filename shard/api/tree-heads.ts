import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorNumber } from '../../protocol/errors.ts';
import { errorBytes } from '../enclave/answers.ts';
import type { Exchange } from './api.ts';
import { type DoorModules, HttpExchange } from './http-exchange.ts';
import { hex32, hex64, queryInteger } from './params.ts';

const INVALID_ROUTE = errorNumber('invalid_route');
const INVALID_FILTER = errorNumber('invalid_filter');

/** Where there is a GET that is cheap, there is a HEAD (RFC 9110 §9.1). */
export const WITH_HEAD = { exposeHeadRoute: true } as const;

interface Params {
  readonly enclave: string;
  readonly hash?: string;
}

/** `GET /:enclave/sth`, `/consistency` and `/receipt/:hash` (PROTOCOL §9): public reads by path. */
export function treeHeadRoutes(app: FastifyInstance, modules: DoorModules): void {
  const { api } = modules;
  const fail = (exchange: Exchange, code: number): void => exchange.answer(code, errorBytes(code));

  const sth = (request: FastifyRequest, reply: FastifyReply): void => {
    const exchange = HttpExchange.of(request, reply, modules, 'proof');
    const enclave = hex32((request.params as Params).enclave);
    if (enclave) api.sth(exchange, enclave);
    else fail(exchange, INVALID_ROUTE);
  };
  app.get('/:enclave/sth', WITH_HEAD, sth);
  app.get('/enclave/:enclave/sth', WITH_HEAD, sth);

  app.get('/:enclave/consistency', WITH_HEAD, (request, reply) => {
    const exchange = HttpExchange.of(request, reply, modules, 'proof');
    const enclave = hex32((request.params as Params).enclave);
    if (!enclave) return fail(exchange, INVALID_ROUTE);
    const query = request.query as { from?: unknown; to?: unknown };
    const from = queryInteger(query.from);
    const to = queryInteger(query.to);
    if (from === null || from < 0 || to === null) return fail(exchange, INVALID_FILTER);
    api.consistency(exchange, enclave, from, to);
  });

  app.get('/:enclave/receipt/:hash', WITH_HEAD, (request, reply) => {
    const exchange = HttpExchange.of(request, reply, modules, 'proof');
    const params = request.params as Params;
    const enclave = hex32(params.enclave);
    const hash = hex32(params.hash);
    if (!enclave || !hash) return fail(exchange, INVALID_ROUTE);
    const sig = hex64((request.query as { sig?: unknown }).sig) ?? new Uint8Array(64);
    api.receipt(exchange, enclave, hash, sig);
  });
}
