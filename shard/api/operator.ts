import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { errorNumber } from '../../protocol/errors.ts';
import { errorBytes } from '../enclave/answers.ts';
import { refuse } from './answer.ts';

const INVALID_ROUTE = errorNumber('invalid_route');

export interface OperatorModules {
  readonly register: Registry;
  /** null when ready, else the reason why not */
  readonly notReady: () => string | null;
}

/** The operator port: `/healthz`, `/readyz`, `/metrics` (PROTOCOL §9). Keep it off the public network. */
export function createOperatorServer({ register, notReady }: OperatorModules): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.setNotFoundHandler((_request, reply) => refuse(reply, INVALID_ROUTE, errorBytes(INVALID_ROUTE), null));
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const reason = notReady();
    if (reason === null) return { status: 'ready' };
    return reply.code(503).send({ status: 'not ready', reason });
  });
  app.get('/metrics', async (_request, reply) =>
    reply.header('content-type', register.contentType).send(await register.metrics()),
  );
  return app;
}
