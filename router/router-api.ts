import {
  consistencyArguments,
  MODE_OF_OP,
  OP_CLOSE_BUNDLE,
  OP_CONSISTENCY,
  OP_INIT_WITH_PRIV,
  OP_OF_MODE,
  OP_POST,
  OP_RECEIPT,
  OP_RECOVER,
  OP_RESTORE,
  OP_SNAPSHOT,
  OP_STH,
} from '../cluster/link/calls.ts';
import { ADMIN, ANYWHERE, BY_PATH } from '../cluster/link/records.ts';
import { type Inspection, type InspectMode, type Inspector, REQUEST_SEQUENCER } from '../kernel/kernel.ts';
import { concat } from '../protocol/bytes.ts';
import { toHex } from '../protocol/hex.ts';
import type { AnswerTally } from '../shard/api/answer-tally.ts';
import type { Api, Exchange } from '../shard/api/api.ts';
import { errorBytes } from '../shard/enclave/answers.ts';
import { TRACED_ELEMENTS } from '../tracing/limits.ts';
import { ArrayAnswer } from './array-answer.ts';
import { findEnclave } from './find-enclave.ts';
import { Flight, type Target } from './flight.ts';
import type { Forwarder } from './forwarder.ts';
import type { Route, Routes } from './routes.ts';

const MANIFEST = Buffer.from('"Manifest"');
const EMPTY_ARRAY = Buffer.from('[]');
const NOTHING = new Uint8Array(0);
/** Where the enclave stands in an inspected commit and in an inspected request (kernel/kernel.ts). */
const COMMIT_ENCLAVE = 24;
const REQUEST_ENCLAVE = 8;

export interface RouterApiOptions {
  /** ms within which a call is answered, whatever happens: the caller's deadline */
  readonly timeout: number;
}

export interface RouterApiModules {
  readonly inspector: Inspector;
  readonly routes: Routes;
  readonly forwarder: Forwarder;
  readonly answers: AnswerTally | null;
  /** Error number for `count` commits of one address, 0 = come in; null: addresses are not limited. */
  readonly addressRate: ((address: string, count: number) => number) | null;
}

/**
 * The public API of a cluster: every call goes to the shard that has its enclave, and comes back byte for byte. A body is
 * parsed here only when its enclave can't be told at a glance: malformed ones are then answered as a shard would.
 */
export class RouterApi implements Api {
  readonly #o: RouterApiOptions;
  readonly #m: RouterApiModules;

  constructor(options: RouterApiOptions, modules: RouterApiModules) {
    this.#o = options;
    this.#m = modules;
  }

  about(): string | null {
    return this.#m.forwarder.about;
  }

  post(exchange: Exchange, mode: InspectMode, enclave?: Uint8Array): void {
    if (mode === 'snapshot') throw new Error('no call has a body of that mode');
    const body = bufferOf(exchange.body);
    const op = OP_OF_MODE[mode];
    if (this.#m.addressRate !== null) return this.#inspected(exchange, body, mode, enclave);
    if (enclave) return this.#forward(op, BY_PATH | admin(exchange, body), body, this.#m.routes.of(enclave), exchange);
    const hex = findEnclave(body);
    const route = hex === null ? null : this.#m.routes.find(hex);
    if (route === null) return this.#inspected(exchange, body, mode, undefined);
    this.#forward(op, admin(exchange, body), body, route, exchange);
  }

  sth(exchange: Exchange, enclave: Uint8Array): void {
    this.#call(exchange, OP_STH, enclave, NOTHING);
  }

  consistency(exchange: Exchange, enclave: Uint8Array, from: number, to: number): void {
    this.#call(exchange, OP_CONSISTENCY, enclave, consistencyArguments(from, to));
  }

  receipt(exchange: Exchange, enclave: Uint8Array, hash: Uint8Array, sig: Uint8Array): void {
    this.#call(exchange, OP_RECEIPT, enclave, concat(hash, sig));
  }

  closeBundle(exchange: Exchange, enclave: Uint8Array): void {
    this.#call(exchange, OP_CLOSE_BUNDLE, enclave, NOTHING);
  }

  initWithPriv(exchange: Exchange, enclave: Uint8Array): void {
    this.#call(exchange, OP_INIT_WITH_PRIV, enclave, exchange.body);
  }

  snapshot(exchange: Exchange, enclave: Uint8Array): void {
    this.#call(exchange, OP_SNAPSHOT, enclave, NOTHING);
  }

  restore(exchange: Exchange, enclave: Uint8Array, expected: Uint8Array | null): void {
    this.#call(exchange, OP_RESTORE, enclave, expected ?? NOTHING);
  }

  recover(exchange: Exchange, enclave: Uint8Array): void {
    this.#call(exchange, OP_RECOVER, enclave, NOTHING);
  }

  #call(exchange: Exchange, op: number, enclave: Uint8Array, body: Uint8Array): void {
    this.#forward(op, BY_PATH, body, this.#m.routes.of(enclave), exchange);
  }

  #forward(op: number, flags: number, body: Uint8Array, route: Route | null, exchange: Exchange): void {
    const now = performance.now();
    const flight = new Flight(op, flags, body, route, exchange, exchange, now + this.#o.timeout);
    flight.trace = exchange.trace;
    if (route !== null) exchange.trace?.set({ 'enc.enclave': toHex(route.enclave) });
    this.#m.forwarder.submit(flight, now);
  }

  /** Parses the body as a shard would, answers what is wrong with it, and sends each commit of an array on alone. */
  #inspected(
    exchange: Exchange,
    body: Buffer,
    mode: Exclude<InspectMode, 'snapshot'>,
    enclave: Uint8Array | undefined,
  ): void {
    const inspection = this.#m.inspector.inspect(body, mode, enclave);
    const { kind, bytes, count } = inspection;
    if (kind === 'error') return exchange.answer(inspection.code, errorBytes(inspection.code));
    if (kind !== 'request' && this.#m.addressRate !== null) {
      const limited = this.#m.addressRate(exchange.address, count);
      if (limited !== 0) return exchange.answer(limited, errorBytes(limited));
    }
    if (kind === 'array') return this.#array(exchange, body, inspection, enclave);
    const code = codeAt(bytes, 0);
    if (code !== 0) return exchange.answer(code, errorBytes(code));
    const path = enclave ? BY_PATH : 0;
    const op = OP_OF_MODE[mode];
    if (kind === 'request' && bytes[6] === REQUEST_SEQUENCER)
      return this.#forward(op, path | ANYWHERE, body, null, exchange);
    const at = kind === 'commit' ? COMMIT_ENCLAVE : REQUEST_ENCLAVE;
    const route = this.#m.routes.of(bytes.subarray(at, at + 32));
    this.#forward(op, path | admin(exchange, body), body, route, exchange);
  }

  #array(exchange: Exchange, body: Buffer, { bytes, count }: Inspection, enclave: Uint8Array | undefined): void {
    if (count === 0) return exchange.answer(0, EMPTY_ARRAY);
    const { forwarder, routes } = this.#m;
    exchange.trace?.set({ 'enc.array.commits': count });
    const flags = (enclave ? BY_PATH : 0) | admin(exchange, body);
    const answer = new ArrayAnswer(exchange, count, this.#m.answers);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const now = performance.now();
    let last: Route | null = null;
    for (let i = 0, at = 0; i < count; at += view.getUint32(at, true), i++) {
      const target: Target = answer.element(i);
      const code = codeAt(bytes, at);
      if (code !== 0) {
        target.answer(code, errorBytes(code));
        continue;
      }
      const id = bytes.subarray(at + COMMIT_ENCLAVE, at + COMMIT_ENCLAVE + 32);
      if (last === null || Buffer.compare(last.enclave, id) !== 0) last = routes.of(id);
      const from = view.getUint32(at + 8, true);
      const element = body.subarray(from, from + view.getUint32(at + 12, true));
      const flight = new Flight(OP_POST, flags, element, last, target, null, now + this.#o.timeout);
      if (i < TRACED_ELEMENTS) flight.trace = exchange.trace;
      forwarder.submit(flight, now);
    }
  }
}

/**
 * What is wrong with a call that no shard could be asked about, as a shard would say it; null if nothing is, or if that
 * can't be told from the call alone.
 */
export function misshaped(
  inspector: Inspector,
  { op, flags, body, route }: Flight,
): { code: number; body: Uint8Array } | null {
  const mode = MODE_OF_OP[op];
  if (mode === undefined) return null;
  const { kind, code, bytes } = inspector.inspect(body, mode, (flags & BY_PATH) !== 0 ? route?.enclave : undefined);
  const wrong = kind === 'error' ? code : kind === 'array' ? 0 : codeAt(bytes, 0);
  return wrong === 0 ? null : { code: wrong, body: errorBytes(wrong) };
}

const codeAt = (bytes: Uint8Array, at: number): number => (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8);

/** Only a Manifest asks whose word it is; looking through the headers of every commit would cost more than it does. */
const admin = (exchange: Exchange, body: Buffer): number =>
  body.indexOf(MANIFEST) >= 0 && exchange.isAdmin() ? ADMIN : 0;

const bufferOf = (body: Uint8Array): Buffer =>
  Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.length);
