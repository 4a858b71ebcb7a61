import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** the body as text */
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** One HTTP exchange, nothing added and nothing interpreted. Rejects if the connection dies without an answer. */
export function exchange(base: string, wanted: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  const { method = 'GET', path = '/', headers = {}, body } = wanted;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        headers: { ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          const bytes = Buffer.concat(parts);
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, bytes, body: bytes.toString('utf8') });
        });
      },
    );
    sent.setTimeout(20_000, () => sent.destroy(new Error(`no answer to ${method} ${path.slice(0, 100)} in 20 s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/**
 * Writes raw bytes to a fresh connection and returns all that comes back until the node closes it. `drip`: further
 * pieces, one every `everyMs`. Rejects when the connection is still open after `deadlineMs`.
 */
export function rawConnection(
  base: string,
  first: string | Uint8Array,
  options: { deadlineMs: number; drip?: Iterable<string>; everyMs?: number; end?: boolean },
): Promise<{ readonly text: string; readonly ms: number }> {
  const { hostname, port } = new URL(base);
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(first);
      if (options.end) socket.end();
    });
    const parts: Buffer[] = [];
    const pieces = options.drip?.[Symbol.iterator]();
    const dripping =
      pieces &&
      setInterval(() => {
        const next = pieces.next();
        if (!next.done && socket.writable) socket.write(next.value);
      }, options.everyMs ?? 50);
    const late = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `still open after ${options.deadlineMs} ms; it said ${JSON.stringify(Buffer.concat(parts).toString('latin1').slice(0, 300))}`,
        ),
      );
    }, options.deadlineMs);
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', () => {}); // a reset is one way of closing
    socket.on('close', () => {
      clearTimeout(late);
      clearInterval(dripping);
      resolve({ text: Buffer.concat(parts).toString('utf8'), ms: performance.now() - begun });
    });
  });
}
