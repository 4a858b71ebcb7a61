import type { WebSocket } from 'ws';
import { OP_NAMES } from '../../cluster/link/calls.ts';
import { FrameReader, MalformedFrame } from '../../cluster/link/frame-reader.ts';
import { FrameWriter } from '../../cluster/link/frame-writer.ts';
import { InFlight } from '../../cluster/link/in-flight.ts';
import {
  ABORT,
  ANSWER,
  BY_PATH,
  CANCEL,
  CLOSE,
  CREDIT,
  DATA,
  END,
  LEAVING,
  REQUEST,
  STALE,
  TOPOLOGY,
  TRACED,
} from '../../cluster/link/records.ts';
import { readTopology, writeTopology } from '../../cluster/link/topology-record.ts';
import { decodeTraceContext } from '../../cluster/link/trace-context.ts';
import type { Topology } from '../../cluster/topology/topology.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import type { TraceContext, Traced } from '../../tracing/traced.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import type { Api } from '../api/api.ts';
import { errorBytes } from '../enclave/answers.ts';
import type { Ownership } from '../ownership/ownership.ts';
import { dispatch } from './dispatch.ts';
import { Lateness } from './lateness.ts';
import { LinkExchange, type LinkSide } from './link-exchange.ts';

const UNAVAILABLE = errorNumber('unavailable');
const NOTHING = new Uint8Array(0);

/** A router that reads no answers is cut off when so much waits for it, bytes. */
const MAX_UNSENT = 64 * 1024 * 1024;

export interface Window {
  /** requests under way at once */
  readonly maxRequests: number;
  /** bytes of their bodies */
  readonly maxBytes: number;
}

export interface ConnectionModules {
  readonly api: Api;
  readonly ownership: Ownership;
  readonly topology: () => Topology;
  readonly adopt: (topology: Topology) => void;
  readonly failed: (error: unknown, trace: Traced | null) => void;
  /** counts an answer by its error number, 0 = none */
  readonly answered: (code: number) => void;
  /** null: nothing is traced here, whatever routers say */
  readonly tracing: Tracing | null;
}

/** One router's link after the handshake: requests in, answers out, both many to a frame. */
export class LinkConnection {
  readonly #socket: WebSocket;
  readonly #window: Window;
  readonly #m: ConnectionModules;
  readonly #writer: FrameWriter;
  readonly #side: LinkSide;
  readonly #open = new InFlight<LinkExchange>();
  #bytes = 0;
  /** what stood in buffers while this process was stopped, and nobody waits for any more, is not begun */
  readonly #lateness = new Lateness();

  constructor(socket: WebSocket, window: Window, modules: ConnectionModules) {
    this.#socket = socket;
    this.#window = window;
    this.#m = modules;
    const began = performance.now();
    this.#writer = new FrameWriter(
      (frame, sent) => this.#send(frame, sent),
      () => performance.now() - began,
    );
    this.#side = {
      writer: this.#writer,
      ownership: modules.ownership,
      failed: modules.failed,
      answered: (exchange, code) => {
        modules.answered(code);
        if (this.#open.delete(exchange.id)) this.#bytes -= exchange.body.length;
      },
    };
    socket.on('message', (data: Buffer) => this.#take(data));
    socket.once('close', () => this.#gone());
  }

  get underWay(): number {
    return this.#open.size;
  }

  tell(topology: Topology): void {
    writeTopology(this.#writer, topology);
  }

  /** The shard drains: the router asks others from now on. */
  leave(): void {
    this.#writer.record(LEAVING, 0, 0, 0, NOTHING);
  }

  /** Sends what waits, and closes. */
  close(): void {
    this.#writer.flush();
    this.#socket.close(1001);
  }

  #send(frame: Uint8Array, sent: () => void): void {
    if (this.#socket.bufferedAmount > MAX_UNSENT) return this.#socket.terminate();
    this.#socket.send(frame, { binary: true }, sent);
  }

  #take(data: Buffer): void {
    try {
      const reader = new FrameReader(data);
      const late = this.#lateness.of(reader.time, performance.now());
      while (reader.next()) this.#record(reader, late);
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#socket.close(CLOSE.malformed, error.message);
    }
  }

  #record(r: FrameReader, late: number): void {
    if (r.kind === REQUEST) return this.#request(r, late);
    if (r.kind === TOPOLOGY) return this.#m.adopt(readTopology(r));
    const exchange = this.#open.get(r.id);
    // What has been answered may still be cancelled or given credit: the two cross on their way.
    if (!exchange) return;
    switch (r.kind) {
      case CREDIT:
        return exchange.granted(r.number(0));
      case DATA:
      case END:
        if (!exchange.arrived(r.payload(), r.kind === END)) throw new MalformedFrame('a stream overran its credit');
        return;
      case CANCEL:
      case ABORT:
        return exchange.cancel();
      default:
        throw new MalformedFrame(`kind ${r.kind} is no router's`);
    }
  }

  #request(r: FrameReader, late: number): void {
    const version = r.number(0);
    const left = r.number(4);
    const enclave = r.bytes(8, 32);
    const traced = (r.flags & TRACED) === 0 ? null : decodeTraceContext(r.bytes(40));
    const body = r.bytes(traced === null ? 40 : 40 + traced.length);
    const { maxRequests, maxBytes } = this.#window;
    if (this.#open.get(r.id) !== undefined) throw new MalformedFrame('an id is used twice');
    if (this.#open.size >= maxRequests || this.#bytes + body.length > maxBytes)
      throw new MalformedFrame('the window was overrun');
    const topology = this.#m.topology();
    if (version < topology.version) {
      this.tell(topology);
      return this.#writer.record(STALE, 0, 0, r.id, NOTHING);
    }
    if (late > left) return this.#writer.record(ANSWER, 0, UNAVAILABLE, r.id, errorBytes(UNAVAILABLE));
    const trace = traced === null ? null : this.#trace(r.code, enclave, traced.context);
    const exchange = new LinkExchange(this.#side, r.id, r.flags, enclave, body, trace);
    this.#open.add(r.id, exchange);
    this.#bytes += body.length;
    if (!dispatch(this.#m.api, exchange, r.code, (r.flags & BY_PATH) !== 0))
      throw new MalformedFrame(`there is no call ${r.code}`);
  }

  #trace(op: number, enclave: Uint8Array, context: TraceContext): Traced | null {
    const { tracing } = this.#m;
    if (tracing === null) return null;
    const method = `enc.shard/${OP_NAMES[op] ?? op}`;
    return tracing.joined(method, context, {
      'rpc.system.name': 'enc-link',
      'rpc.method': method,
      'enc.enclave': toHex(enclave),
    });
  }

  #gone(): void {
    this.#writer.close();
    for (const exchange of this.#open.values()) exchange.cancel();
  }
}
