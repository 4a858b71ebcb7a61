import { NodeLied, Refused, Unreachable } from './errors.ts';

/** What is read of an answer: of a `Response`, or of anything cheaper. */
export type Answer = Pick<Response, 'ok' | 'status' | 'body' | 'arrayBuffer'> & {
  readonly headers: Pick<Headers, 'get'>;
};
export type Fetch = (url: string, init: RequestInit) => Promise<Answer>;

export interface TransportOptions {
  readonly fetch?: Fetch | undefined;
  /** One attempt, from the request to the last byte of the answer, ms. */
  readonly timeoutMs?: number | undefined;
  /** A longer answer is cut off and counts as no answer. */
  readonly maxAnswerBytes?: number | undefined;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Absolute path with query, from the node's root. */
  readonly path: string;
  readonly body?: Uint8Array | string | ReadableStream<Uint8Array> | undefined;
  readonly contentType?: string | undefined;
  /** Admin bearer token. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Overrides the transport's time-out, ms; 0 = none. */
  readonly timeoutMs?: number | undefined;
}

/**
 * HTTP to one node: time-outs, bounded answers, no redirects (a redirect could carry a bearer token elsewhere).
 * Answers with a 2xx are given back; an ENC Error becomes `Refused`; everything else is `Unreachable`.
 */
export class Transport {
  readonly base: URL;
  private readonly fetch: Fetch;
  private readonly timeoutMs: number;
  private readonly maxAnswerBytes: number;

  constructor(url: string, options: TransportOptions = {}) {
    this.base = parseBase(url);
    this.fetch = options.fetch ?? ((u, init) => globalThis.fetch(u, init));
    this.timeoutMs = options.timeoutMs ?? 10_000;
    this.maxAnswerBytes = options.maxAnswerBytes ?? 256 * 1024 * 1024;
  }

  /** The parsed JSON of a 2xx answer. */
  async json(call: Call): Promise<unknown> {
    const response = await this.send(call);
    const bytes = await this.bytes(response, call);
    const value = parse(bytes);
    if (response.ok) {
      if (value === undefined)
        throw new NodeLied(`${call.method} ${call.path}`, 'it is not JSON', decodeLoosely(bytes));
      return value;
    }
    throw this.refusal(response, value, call);
  }

  /** The body of a 2xx answer as it comes in. The time-out covers the head of the answer only. */
  async stream(call: Call): Promise<ReadableStream<Uint8Array>> {
    const response = await this.send(call);
    if (response.ok && response.body) return response.body as ReadableStream<Uint8Array>;
    throw this.refusal(response, parse(await this.bytes(response, call)), call);
  }

  private async send(call: Call): Promise<Answer> {
    const headers: Record<string, string> = { accept: 'application/json', ...call.headers };
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    if (call.token !== undefined) headers['authorization'] = `Bearer ${call.token}`;
    const signals: AbortSignal[] = [];
    const timeoutMs = call.timeoutMs ?? this.timeoutMs;
    if (timeoutMs > 0) signals.push(AbortSignal.timeout(timeoutMs));
    if (call.signal) signals.push(call.signal);
    const init: RequestInit & { duplex?: 'half' } = { method: call.method, headers, redirect: 'error' };
    if (signals.length > 0) init.signal = AbortSignal.any(signals);
    if (call.body !== undefined) init.body = call.body as NonNullable<RequestInit['body']>;
    if (call.body instanceof ReadableStream) init.duplex = 'half';
    try {
      return await this.fetch(this.base.href + call.path.slice(1), init);
    } catch (error) {
      throw this.unreachable(error, call, timeoutMs);
    }
  }

  private async bytes(response: Answer, call: Call): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    try {
      if (!response.body) return new Uint8Array(await response.arrayBuffer());
      for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
        size += part.length;
        if (size > this.maxAnswerBytes) throw new Error(`the answer is longer than ${this.maxAnswerBytes} bytes`);
        parts.push(part);
      }
    } catch (error) {
      throw this.unreachable(error, call, call.timeoutMs ?? this.timeoutMs);
    }
    if (parts.length === 1) return parts[0] as Uint8Array;
    const all = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  private unreachable(error: unknown, call: Call, timeoutMs: number): unknown {
    if (call.signal?.aborted) return call.signal.reason;
    const why = (error as Error)?.name === 'TimeoutError' ? `it gave no answer within ${timeoutMs} ms` : reason(error);
    return new Unreachable(
      `The node at ${this.base.href} can't be reached: ${why}. Check the address and that the node is running.`,
      {
        cause: error,
      },
    );
  }

  private refusal(response: Answer, value: unknown, call: Call): Error {
    const retryAfterMs = retryAfter(response.headers.get('retry-after'));
    if (isError(value)) {
      const { type: _type, error, message, ...fields } = value;
      return new Refused(error, message, response.status, fields, retryAfterMs);
    }
    const options = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new Unreachable(
      `${this.base.href} answered ${response.status} to ${call.method} ${call.path}, but not as an ENC node does. Check the address.`,
      options,
    );
  }
}

/** An Error object of PROTOCOL §9. */
export function isError(
  value: unknown,
): value is { type: 'Error'; error: string; message: string } & Record<string, unknown> {
  const v = value as Record<string, unknown> | null;
  return (
    typeof v === 'object' &&
    v !== null &&
    v['type'] === 'Error' &&
    typeof v['error'] === 'string' &&
    typeof v['message'] === 'string'
  );
}

function parseBase(url: string): URL {
  let base: URL;
  try {
    base = new URL(url);
  } catch {
    throw new TypeError(`"${url}" is not a URL. Write it like http://127.0.0.1:8080.`);
  }
  if (base.protocol !== 'http:' && base.protocol !== 'https:')
    throw new TypeError(`"${url}" is neither http nor https.`);
  base.search = '';
  base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return base;
}

/** Retry-After in ms: seconds or an HTTP date; at most an hour, whatever the node says. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 3_600_000) : undefined;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

const decodeLoosely = (bytes: Uint8Array): string => new TextDecoder().decode(bytes.subarray(0, 1000));

/** The innermost reason: fetch hides it in `cause`. */
function reason(error: unknown): string {
  let at = error as { message?: string; code?: string; cause?: unknown } | undefined;
  while (at?.cause) at = at.cause as typeof at;
  return at?.message || at?.code || String(error);
}
