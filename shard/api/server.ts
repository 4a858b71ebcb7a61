import type { Socket } from 'node:net';
import fastify, { type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { InspectMode } from '../../kernel/kernel.ts';
import { errorBody, errorNumber } from '../../protocol/errors.ts';
import { errorBytes } from '../enclave/answers.ts';
import { adminRoutes } from './admin.ts';
import { JSON_TYPE, refuse } from './answer.ts';
import { drain, isAnswered } from './drain.ts';
import { takePosts } from './hot-door.ts';
import { type DoorModules, HttpExchange } from './http-exchange.ts';
import { hex32 } from './params.ts';
import { treeHeadRoutes, WITH_HEAD } from './tree-heads.ts';
import { isUpload } from './uploads.ts';

const INVALID_ROUTE = errorNumber('invalid_route');
const INVALID_JSON = errorNumber('invalid_json');
const TOO_LARGE = errorNumber('too_large');
const INTERNAL = errorNumber('internal');
const UNAVAILABLE = errorNumber('unavailable');

/** Of a body that is too large so many times the limit is read on, so that its sender gets to read the refusal. */
const DRAINED_BODIES = 8;

export interface ServerOptions {
  readonly maxBody: number;
  readonly maxConnections: number;
  /** ms in which a request's headers must have arrived */
  readonly headersTimeout: number;
  /** ms in which a whole request must have arrived; of a file that is restored, the longest pause */
  readonly requestTimeout: number;
}

/** The HTTP door of the public API (PROTOCOL §9). Slow, huge and malformed requests cost bounded memory and time. */
export function createServer(options: ServerOptions, modules: DoorModules): FastifyInstance {
  const { answers, api, logger } = modules;
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // No logger of its own for every request: none is written to but when something fails.
    childLoggerFactory: (own) => own,
    bodyLimit: options.maxBody,
    requestTimeout: options.requestTimeout,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    // What still comes over a connection in use is answered as ever: Fastify's own 503 is no answer of this protocol.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    http: {
      headersTimeout: options.headersTimeout,
      // Node looks at slow connections every 30 s by default: three times the time that headers are given.
      connectionsCheckingInterval: Math.ceil(options.headersTimeout / 4),
      maxHeaderSize: 16_384,
      // A request without Host is answered like any other, instead of with an empty 400 of Node's own.
      requireHostHeader: false,
    },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (_error, _request, reply) =>
      void refuse(reply as never, INVALID_ROUTE, errorBytes(INVALID_ROUTE), answers),
  }) as unknown as FastifyInstance;
  app.server.maxConnections = options.maxConnections;
  // What a client expects beyond 100-continue is none of our business; Node would answer an empty 417.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // What a client says its body is makes no difference: it is JSON or it is not. Fastify would refuse what it can't parse.
  app.addHook('onRequest', (request, _reply, done) => {
    delete request.headers['content-type'];
    done();
  });
  app.setNotFoundHandler((_request, reply) => refuse(reply, INVALID_ROUTE, errorBytes(INVALID_ROUTE), answers));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const code = httpError(error);
    if (code === INTERNAL) request.log.error({ error: error.message }, 'a request failed');
    if (code === TOO_LARGE) {
      // Fastify would have the connection closed at once.
      reply.removeHeader('connection');
      drain(request.raw, DRAINED_BODIES * options.maxBody);
    }
    refuse(reply, code, errorBytes(code), answers);
  });

  app.get('/', WITH_HEAD, (_request, reply) => {
    const about = api.about();
    if (about === null) return refuse(reply, UNAVAILABLE, errorBytes(UNAVAILABLE), answers);
    reply.header('content-type', JSON_TYPE).send(`{${about},"time":${Date.now()}}`);
  });
  app.post('/', (request, reply) => api.post(HttpExchange.of(request, reply, modules, 'post'), 'post'));
  for (const mode of ['inclusion', 'bundle', 'state', 'state-batch'] as const) {
    app.post(`/${mode}`, (request, reply) => api.post(HttpExchange.of(request, reply, modules, 'proof'), mode));
    byPath(app, modules, `/enclave/:id/${mode}`, mode);
  }
  byPath(app, modules, '/enclave/:id', 'post');
  treeHeadRoutes(app, modules);
  adminRoutes(app, modules);
  takePosts(app, options.maxBody, (request, response, body) => {
    const exchange = new HttpExchange(request, response, body, modules);
    try {
      api.post(exchange, 'post');
    } catch (error) {
      exchange.fail(error);
    }
  });
  return app;
}

function byPath(app: FastifyInstance, modules: DoorModules, path: string, mode: InspectMode): void {
  app.post(path, (request, reply) => {
    const enclave = hex32((request.params as { id: string }).id);
    if (!enclave) return refuse(reply, INVALID_ROUTE, errorBytes(INVALID_ROUTE), modules.answers);
    const call = mode === 'post' ? 'post' : 'proof';
    modules.api.post(HttpExchange.of(request, reply, modules, call), mode, enclave);
  });
}

function httpError(error: FastifyError): number {
  if (error.statusCode === 413) return TOO_LARGE;
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) return INVALID_JSON;
  return INTERNAL;
}

/** What is not HTTP, or comes too slowly, is answered once and cut off. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isUpload(socket)) return;
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswered(socket)) return void socket.destroy();
  const large = error.code === 'HPE_HEADER_OVERFLOW';
  const body = errorBody(large ? 'too_large' : 'invalid_json');
  const status = large ? '413 Payload Too Large' : '400 Bad Request';
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
