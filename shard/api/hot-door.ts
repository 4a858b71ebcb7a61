import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

const LENGTH = 'content-length';
const NO_BODY = Buffer.alloc(0);

export type Handle = (request: IncomingMessage, response: ServerResponse, body: Uint8Array) => void;

/**
 * `POST /` with a body of known length goes past fastify: nearly all that a node is asked is this one call, and looking
 * for its route, parser and hooks costs as much again as Node's own work for a request. Whatever is unusual about a
 * request (another path, chunks, no length, one beyond `maxBody`, a server that drains) is fastify's, which knows how
 * to refuse it. Limits on time and connections are the server's and hold for both.
 */
export function takePosts(app: FastifyInstance, maxBody: number, handle: Handle): void {
  const { server } = app;
  const others = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const length = request.url === '/' && request.method === 'POST' && !closing ? bodyLength(request.rawHeaders) : 0;
    if (length > 0 && length <= maxBody) collect(request, response, handle);
    else for (const other of others) other(request, response);
  });
}

/** What the content-length says, 0 without one. Node has parsed it, and refused two that differ. */
function bodyLength(headers: readonly string[]): number {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === LENGTH.length && name.toLowerCase() === LENGTH) return Number(headers[i + 1]);
  }
  return 0;
}

/** Nearly every body comes in one piece, which is handed on as it is. One that is cut off is answered to nobody. */
function collect(request: IncomingMessage, response: ServerResponse, handle: Handle): void {
  let first: Buffer = NO_BODY;
  let rest: Buffer[] | null = null;
  request.on('data', (chunk: Buffer) => {
    if (first === NO_BODY) first = chunk;
    else if (rest === null) rest = [first, chunk];
    else rest.push(chunk);
  });
  request.on('end', () => handle(request, response, rest === null ? first : Buffer.concat(rest)));
}
