import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorNumber } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import { errorBytes } from '../enclave/answers.ts';
import { LogDamaged } from '../log/log-errors.ts';
import { type AnswerMetrics, JSON_TYPE, send } from './answer.ts';
import type { Api, Exchange, StreamKind } from './api.ts';

const INTERNAL = errorNumber('internal');
const REGRESSED = errorNumber('enclave_regressed');
const NO_BODY = new Uint8Array(0);

/** What the HTTP door knows of the house. */
export interface DoorModules {
  readonly api: Api;
  readonly isAdmin: (request: FastifyRequest) => boolean;
  readonly metrics: AnswerMetrics | null;
}

/** A call over HTTP. One small object per request: whatever may cost something is looked up when it is asked for. */
export class HttpExchange implements Exchange {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #m: DoorModules;
  #begun = false;

  constructor(request: FastifyRequest, reply: FastifyReply, modules: DoorModules) {
    this.#request = request;
    this.#reply = reply;
    this.#m = modules;
  }

  /** none if the request has neither a length nor chunks */
  get body(): Uint8Array {
    return (this.#request.body as Uint8Array | undefined) ?? NO_BODY;
  }

  get upload(): Readable {
    return (this.#request.body as Readable | undefined) ?? Readable.from([]);
  }

  get address(): string {
    return this.#request.ip;
  }

  get gone(): boolean {
    return this.#reply.raw.destroyed;
  }

  isAdmin(): boolean {
    return this.#m.isAdmin(this.#request);
  }

  admit(): boolean {
    return true;
  }

  answer(code: number, body: Uint8Array): void {
    send(this.#reply, code, body, this.#m.metrics);
  }

  begin(kind: StreamKind, enclave: Uint8Array): void {
    this.#begun = true;
    this.#reply.hijack();
    if (kind === 'json') this.#reply.raw.writeHead(200, { 'content-type': JSON_TYPE });
    else {
      this.#reply.raw.writeHead(200, {
        'content-disposition': `attachment; filename="${toHex(enclave)}.enc"`,
        'content-type': 'application/cbor-seq',
      });
    }
  }

  write(bytes: Uint8Array): boolean {
    return this.#reply.raw.write(bytes);
  }

  drained(): Promise<void> {
    const { raw } = this.#reply;
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
    this.#reply.raw.end(bytes);
  }

  fail(error: unknown): void {
    this.#request.log.error({ err: error }, 'a request failed');
    if (this.#begun || this.#reply.sent) return void this.#reply.raw.destroy();
    const code = error instanceof LogDamaged ? REGRESSED : INTERNAL;
    this.answer(code, errorBytes(code));
  }
}
