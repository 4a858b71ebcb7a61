import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Answer, Fetch } from '../../client/transport.ts';

/** A `fetch` of the SDK on few kept connections: it costs half of what the global one does. */
export interface LeanFetch {
  readonly fetch: Fetch;
  close(): void;
}

/** Longer answers than the hammer asks for are cut off and count as none. */
const MAX_ANSWER = 64 * 1024 * 1024;

/**
 * Requests beyond `connections` wait their turn here, first come, first served. `timeoutMs` is for one request from the
 * moment at which it has a connection: give the SDK none, else a request would be given up, and made again, only because
 * many others are before it.
 */
export function leanFetch(connections: number, timeoutMs: number): LeanFetch {
  const options = { keepAlive: true, maxSockets: connections, noDelay: true };
  const agents = { 'http:': new HttpAgent(options), 'https:': new HttpsAgent(options) };
  const waiting: (() => void)[] = [];
  let free = connections;
  const turn = (): Promise<void> => {
    if (free > 0) {
      free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => waiting.push(resolve));
  };
  const give = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  return {
    fetch: async (url, init) => {
      await turn();
      try {
        return await ask(url, init, agents[url.startsWith('https:') ? 'https:' : 'http:'], timeoutMs);
      } finally {
        give();
      }
    },
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function ask(url: string, init: RequestInit, agent: HttpAgent, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (agent instanceof HttpsAgent ? httpsRequest : httpRequest)(
      url,
      { method: init.method ?? 'GET', headers: init.headers as Record<string, string>, agent },
      (message) => collect(message).then(resolve, reject),
    );
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.end(init.body as string | undefined);
  });
}

function collect(message: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    message.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size > MAX_ANSWER) message.destroy(new Error(`the answer is longer than ${MAX_ANSWER} bytes`));
    });
    message.on('error', reject);
    // Also when the connection is lost before the last byte.
    message.on('close', () => reject(new Error('the answer was cut off')));
    message.on('end', () => {
      const status = message.statusCode ?? 0;
      // As with `redirect: 'error'`: nobody but the node that was named is asked.
      if (status >= 300 && status < 400) return reject(new Error(`it redirects to ${message.headers.location}`));
      const bytes = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      resolve({
        ok: status >= 200 && status < 300,
        status,
        headers: { get: (name) => message.headers[name]?.toString() ?? null },
        body: null,
        arrayBuffer: async () => bytes as unknown as ArrayBuffer,
      });
    });
  });
}
