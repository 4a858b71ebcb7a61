import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorNumber } from '../../protocol/errors.ts';
import { errorBytes } from '../enclave/answers.ts';
import type { Exchange } from './api.ts';
import { type DoorModules, HttpExchange } from './http-exchange.ts';
import { hex32 } from './params.ts';
import { beginUpload } from './uploads.ts';

const INVALID_ROUTE = errorNumber('invalid_route');
const UNAUTHORIZED = errorNumber('unauthorized');

type Handler = (exchange: Exchange, enclave: Uint8Array, request: FastifyRequest) => void;

/** The operator's calls (PROTOCOL §9): admin token, or development. */
export function adminRoutes(app: FastifyInstance, modules: DoorModules): void {
  const { api } = modules;
  const guarded = (handler: Handler) => (request: FastifyRequest, reply: FastifyReply) => {
    const enclave = hex32((request.params as { id: string }).id);
    const exchange = HttpExchange.of(request, reply, modules, 'operator');
    if (!enclave) exchange.answer(INVALID_ROUTE, errorBytes(INVALID_ROUTE));
    else if (!exchange.isAdmin()) exchange.answer(UNAUTHORIZED, errorBytes(UNAUTHORIZED));
    else handler(exchange, enclave, request);
  };
  const snapshot = guarded((exchange, enclave) => api.snapshot(exchange, enclave));
  app.get('/enclaves/:id/snapshot', snapshot);
  app.get('/:id/snapshot', snapshot);
  app.post(
    '/enclaves/:id/close-bundle',
    guarded((exchange, enclave) => api.closeBundle(exchange, enclave)),
  );
  app.post(
    '/enclaves/:id/init-with-priv',
    guarded((exchange, enclave) => api.initWithPriv(exchange, enclave)),
  );
  // These bodies are files: they are read as they arrive, whatever their size.
  app.register(async (files) => {
    const upload = (handler: Handler) =>
      guarded((exchange, enclave, request) => {
        beginUpload(request.raw, app.server.requestTimeout);
        handler(exchange, enclave, request);
      });
    files.removeAllContentTypeParsers();
    files.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    files.post(
      '/enclaves/:id/restore',
      upload((exchange, enclave, request) => api.restore(exchange, enclave, hex32(request.headers['x-enc-sequencer']))),
    );
    files.post(
      '/enclaves/:id/recover',
      upload((exchange, enclave) => api.recover(exchange, enclave)),
    );
  });
}
