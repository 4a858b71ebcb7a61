import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { toHex } from '../../protocol/hex.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { errorBytes, failureCode } from '../enclave/answers.ts';
import { answer, JSON_TYPE, TRACE_RESPONSE } from './answer.ts';
import type { AnswerTally, Call } from './answer-tally.ts';
import type { Api, Exchange, StreamKind } from './api.ts';

const NO_BODY = new Uint8Array(0);

/** What the HTTP door knows of the house. */
export interface DoorModules {
  readonly api: Api;
  readonly isAdmin: (headers: IncomingHttpHeaders) => boolean;
  readonly answers: AnswerTally | null;
  readonly logger: FastifyBaseLogger;
  /** null: nothing is traced */
  readonly tracing: Tracing | null;
}

/** A call over HTTP. One small object per request: whatever may cost something is looked up when it is asked for. */
export class HttpExchange implements Exchange {
  /** the body of a call that has it in memory; empty if the request has neither a length nor chunks */
  readonly body: Uint8Array;
  readonly trace: Traced | null;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #m: DoorModules;
  readonly #call: Call;
  readonly #arrived = performance.now();
  #begun = false;

  /** `route`: the path with names in place of values */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array,
    modules: DoorModules,
    call: Call = 'post',
    route = '/',
  ) {
    this.#call = call;
    this.#request = request;
    this.#response = response;
    this.body = body;
    this.#m = modules;
    this.trace = modules.tracing === null ? null : modules.tracing.call(request, response, route);
  }

  /** From a route: fastify has no more part in the answer. */
  static of(request: FastifyRequest, reply: FastifyReply, modules: DoorModules, call: Call): HttpExchange {
    reply.hijack();
    const { body, routeOptions } = request;
    const bytes = body instanceof Uint8Array ? body : NO_BODY;
    return new HttpExchange(request.raw, reply.raw, bytes, modules, call, routeOptions.url);
  }

  get upload(): Readable {
    return this.#request;
  }

  get address(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  get gone(): boolean {
    return this.#response.destroyed;
  }

  isAdmin(): boolean {
    return this.#m.isAdmin(this.#request.headers);
  }

  admit(): boolean {
    return true;
  }

  answer(code: number, body: Uint8Array): void {
    this.#counted(this.#call, code);
    answer(this.#response, code, body, this.trace);
  }

  begin(kind: StreamKind, enclave: Uint8Array): void {
    this.#begun = true;
    this.#counted(kind === 'json' ? 'query' : this.#call, 0);
    this.trace?.set({ 'http.response.status_code': 200 });
    const traced = this.trace && { [TRACE_RESPONSE]: this.trace.header };
    if (kind === 'json') this.#response.writeHead(200, { 'content-type': JSON_TYPE, ...traced });
    else {
      this.#response.writeHead(200, {
        ...traced,
        'content-disposition': `attachment; filename="${toHex(enclave)}.enc"`,
        'content-type': 'application/cbor-seq',
      });
    }
  }

  write(bytes: Uint8Array): boolean {
    return this.#response.write(bytes);
  }

  drained(): Promise<void> {
    const raw = this.#response;
    if (raw.destroyed || !raw.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const go = (): void => {
        raw.off('drain', go).off('close', go);
        resolve();
      };
      raw.once('drain', go).once('close', go);
    });
  }

  end(bytes: Uint8Array): void {
    this.#response.end(bytes);
  }

  fail(error: unknown): void {
    this.#m.logger.error({ err: error, ...this.trace?.fields }, 'a request failed');
    if (this.#begun || this.#response.headersSent) {
      this.trace?.fail('internal');
      return void this.#response.destroy();
    }
    const code = failureCode(error);
    this.answer(code, errorBytes(code));
  }

  #counted(call: Call, code: number): void {
    this.#m.answers?.answered(call, code, (performance.now() - this.#arrived) / 1000);
  }
}
