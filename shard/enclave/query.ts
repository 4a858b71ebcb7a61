import { type Inspector, REQUEST_PULL, TYPES } from '../../kernel/kernel.ts';
import { errorNumber, errorOf } from '../../protocol/errors.ts';
import type { Exchange } from '../api/api.ts';
import type { EnclaveLog } from '../log/enclave-log.ts';
import type { EnclaveActor } from './actor.ts';
import { errorBytes } from './answers.ts';
import type { Enclaves } from './enclaves.ts';
import { storedMeta } from './hydrate.ts';
import { queryPlan } from './query-plan.ts';

const TYPE_UPDATE = TYPES.indexOf('Update');
const TYPE_DELETE = TYPES.indexOf('Delete');
const UNAVAILABLE = errorNumber('unavailable');

/** A scan gives way to others after this long, ms; while commits are under way much sooner: each of them passes through
 *  the event loop some ten times on its way to its receipt, and waits for a slice each time. */
const SLICE_MS = 2;
const BUSY_SLICE_MS = 0.2;
/** Answers larger than this are streamed as they grow. */
const CHUNK_BYTES = 256 * 1024;

export interface QueriesModules {
  readonly enclaves: Enclaves;
  readonly log: EnclaveLog;
  readonly inspector: Inspector;
  readonly now: () => number;
  /** commits are on their way through this process */
  readonly busy: () => boolean;
}

/** Query and Pull (PROTOCOL §9): candidates from the log's indexes, decided one by one in the kernel, streamed. */
export class Queries {
  readonly #m: QueriesModules;

  constructor(modules: QueriesModules) {
    this.#m = modules;
  }

  /** `request`: an inspected Query or Pull without an error of its own. */
  answer(request: Uint8Array, exchange: Exchange): Promise<void> {
    const fail = (code: number): void => exchange.answer(code, errorBytes(code));
    return this.#m.enclaves.reading(
      request.subarray(8, 40),
      (actor) => this.#answer(actor, request, exchange, fail),
      fail,
    );
  }

  async #answer(
    actor: EnclaveActor,
    request: Uint8Array,
    exchange: Exchange,
    fail: (code: number) => void,
  ): Promise<void> {
    actor.pump();
    const refused = actor.kernel.openQuery(request, this.#m.now());
    const lost = await actor.settled();
    if (lost !== 0 || refused !== 0) return fail(lost || refused);
    const head = actor.released;
    const writer = new ResponseWriter(exchange, actor.key.enclave);
    const ended = await this.#scan(actor, request, head.seq, writer);
    if (ended !== 0) {
      if (exchange.gone) return;
      if (!writer.started) return fail(ended);
      throw new Error(`an answer could not be ended: ${errorOf(ended).code}`);
    }
    writer.end(request[6] === REQUEST_PULL ? `],"head":${head.seq}}` : ']}');
  }

  /** 0, or the error that ended it. */
  async #scan(actor: EnclaveActor, request: Uint8Array, last: number, writer: ResponseWriter): Promise<number> {
    const { plan, limit } = await queryPlan(request, last, (time) => this.#m.log.seqAtTime(actor.key, time));
    let sliceBegan = performance.now();
    let found = 0;
    for (const seq of this.#m.log.candidates(actor.key, plan)) {
      if (performance.now() - sliceBegan > (this.#m.busy() ? BUSY_SLICE_MS : SLICE_MS)) {
        const stop = await this.#pause(actor, writer);
        if (stop !== 0) return stop;
        sliceBegan = performance.now();
      }
      if (typeof seq !== 'number') await seq;
      if (typeof seq !== 'number' || seq < 0) continue;
      const stored = this.#m.log.recordNow(actor.key, seq) ?? (await this.#m.log.record(actor.key, seq));
      if (!stored) return UNAVAILABLE;
      const type = stored.record[6];
      if (type === TYPE_UPDATE || type === TYPE_DELETE)
        await this.#fetchTarget(actor, stored.record.slice(304, 336), last);
      const event = actor.kernel.select(request, stored.record, stored.content);
      if (!event) continue;
      writer.event(event);
      if (++found === limit) break;
    }
    return actor.settled();
  }

  /** Lets commits through and the socket drain. What was decided on state that is lost must not leave. */
  async #pause(actor: EnclaveActor, writer: ResponseWriter): Promise<number> {
    const lost = await actor.settled();
    if (lost !== 0) return lost;
    await writer.drain();
    await new Promise(setImmediate);
    return writer.gone ? UNAVAILABLE : 0;
  }

  async #fetchTarget(actor: EnclaveActor, id: Uint8Array, last: number): Promise<void> {
    if (actor.host.knows(id)) return;
    const meta = await storedMeta(actor.key, id, last, this.#m.log);
    if (meta) actor.host.remember(id, meta);
  }
}

/** Collects a small answer whole, and streams a large one no faster than its reader reads. */
class ResponseWriter {
  readonly #exchange: Exchange;
  readonly #enclave: Uint8Array;
  #parts: Uint8Array[] = [Buffer.from('{"type":"Response","events":[')];
  #size = 0;
  #events = 0;
  started = false;

  constructor(exchange: Exchange, enclave: Uint8Array) {
    this.#exchange = exchange;
    this.#enclave = enclave;
  }

  get gone(): boolean {
    return this.#exchange.gone;
  }

  /** `json` is copied: it is a view into the kernel's memory. */
  event(json: Uint8Array): void {
    if (this.#events++ > 0) this.#parts.push(COMMA);
    this.#parts.push(json.slice());
    this.#size += json.length;
  }

  /** Sends what has been collected, if it is much, and waits until the reader has room. */
  async drain(): Promise<void> {
    if (this.#size < CHUNK_BYTES || this.gone) return;
    if (!this.started) {
      this.started = true;
      this.#exchange.begin('json', this.#enclave);
    }
    const room = this.#exchange.write(Buffer.concat(this.#parts));
    this.#parts = [];
    this.#size = 0;
    if (!room) await this.#exchange.drained();
  }

  end(text: string): void {
    this.#parts.push(Buffer.from(text));
    const body = Buffer.concat(this.#parts);
    if (this.started) this.#exchange.end(body);
    else this.#exchange.answer(0, body);
  }
}

const COMMA = Buffer.from(',');
