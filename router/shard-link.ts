import { randomBytes } from 'node:crypto';
import { type ClientOptions, WebSocket } from 'ws';
import { FrameReader, MalformedFrame } from '../cluster/link/frame-reader.ts';
import { FrameWriter } from '../cluster/link/frame-writer.ts';
import {
  commonVersion,
  decodeHello,
  decodeWelcome,
  encodeProof,
  LINK_VERSIONS,
  TRACED_SINCE,
  type Versions,
  type Welcome,
} from '../cluster/link/handshake.ts';
import { InFlight } from '../cluster/link/in-flight.ts';
import {
  ABORT,
  ANSWER,
  BEGIN,
  CANCEL,
  CREDIT,
  DATA,
  END,
  LEAVING,
  MISROUTED,
  MOVED,
  RELEASED,
  STALE,
  TAKE_OVER,
  TOPOLOGY,
} from '../cluster/link/records.ts';
import { readTopology, writeTopology } from '../cluster/link/topology-record.ts';
import { encodeTraceContext } from '../cluster/link/trace-context.ts';
import { isTopology, type Topology } from '../cluster/topology/topology.ts';
import type { Flight } from './flight.ts';

/** Time for connecting and for the handshake together, ms. */
const HANDSHAKE_MS = 2000;
/** How often a link is looked after, ms: deadlines, silence, and whether to connect again. */
export const LINK_TICK_MS = 50;
const PING_EVERY_MS = 500;
/** A shard that is silent for this long does not run, whatever its socket says, ms (ARCHITECTURE §4). */
const SILENT_MS = 2000;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 1000;
/** A shard that could not be reached for this long is unreachable, ms (ARCHITECTURE §4). */
const UNREACHED_MS = 2000;
/** So is one where so many connections in a row were refused: its process is gone (docs/decisions/refused-links.md). */
const REFUSED = 2;
/** An answer of a query is streamed; whole ones are small, and one frame holds what a writer collects and one more. */
const MAX_FRAME = 64 * 1024 * 1024;
const NO_ENCLAVE = new Uint8Array(32);
const NOTHING = new Uint8Array(0);

/** Told of what comes over the links. Flights that come with it are no longer on the link, but for began, data, credit. */
export interface LinkEvents {
  answered(flight: Flight, code: number, body: Uint8Array): void;
  moved(flight: Flight, from: number, owner: number, released: boolean): void;
  misrouted(flight: Flight, enclave: Uint8Array): void;
  stale(flight: Flight): void;
  /** the link broke; the shard may have got it */
  lost(flight: Flight, from: number): void;
  expired(flight: Flight): void;
  began(flight: Flight, kind: number): void;
  data(flight: Flight, bytes: Uint8Array, link: ShardLink): void;
  ended(flight: Flight, bytes: Uint8Array): void;
  aborted(flight: Flight): void;
  credit(flight: Flight, bytes: number, link: ShardLink): void;
  topology(topology: Topology): void;
  up(shard: number, welcome: Welcome): void;
  down(shard: number, why: string): void;
}

export interface LinkOptions {
  readonly shard: number;
  readonly secret: Uint8Array;
  readonly versions?: Versions;
  readonly tls?: Pick<ClientOptions, 'cert' | 'key' | 'ca'> | null;
  readonly topology: () => Topology;
}

/** The router's end of the link to one shard: connects, proves itself, reconnects; many requests to a frame. */
export class ShardLink {
  readonly shard: number;
  readonly #o: LinkOptions;
  readonly #events: LinkEvents;
  readonly #flights = new InFlight<Flight>();
  #url: string | null = null;
  /** the process that its heartbeat names; another one is another shard */
  #process = '';
  #socket: WebSocket | null = null;
  #writer: FrameWriter | null = null;
  #welcome: Welcome | null = null;
  #told = 0;
  #bytes = 0;
  #nextId = 1;
  #heard = 0;
  #pinged = 0;
  #attemptAt = 0;
  #attemptEnds = 0;
  #backoff = FIRST_BACKOFF_MS;
  /** performance.now() since which it can't be used, 0 while it can */
  #downSince = performance.now();
  /** connections in a row that were refused */
  #refusals = 0;
  #leaving = false;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.shard = options.shard;
    this.#o = options;
    this.#events = events;
  }

  get open(): boolean {
    return this.#welcome !== null;
  }

  /** The shard has said that it drains. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** It has not been reached for so long, or so surely, that another shard is to be asked. */
  unreachable(now: number): boolean {
    return this.#refusals >= REFUSED || (this.#downSince !== 0 && now - this.#downSince >= UNREACHED_MS);
  }

  get underWay(): number {
    return this.#flights.size;
  }

  /** What the shard's heartbeat says. Another process under that number is met anew. */
  meet(url: string, process: string): void {
    if (url === this.#url && process === this.#process) return;
    const restarted = this.#process !== '' && process !== this.#process;
    this.#url = url;
    this.#process = process;
    if (restarted && this.#socket) this.#drop('the shard was started anew');
    this.#backoff = FIRST_BACKOFF_MS;
    this.#attemptAt = 0;
    this.#refusals = 0;
  }

  /** 'full': nothing more may be under way; 'down': no link at the moment. */
  send(flight: Flight, takeOver: boolean, now: number): 'sent' | 'full' | 'down' {
    const welcome = this.#welcome;
    const writer = this.#writer;
    if (welcome === null || writer === null) return 'down';
    const { body } = flight;
    if (this.#flights.size >= welcome.maxRequests || this.#bytes + body.length > welcome.maxBytes) return 'full';
    if ((this.#socket as WebSocket).bufferedAmount > welcome.maxBytes) return 'full';
    const { version } = this.#tellTopology(writer);
    const id = this.#freshId();
    flight.id = id;
    this.#flights.add(id, flight);
    this.#bytes += body.length;
    writer.request({
      op: flight.op,
      flags: takeOver ? flight.flags | TAKE_OVER : flight.flags,
      id,
      version,
      left: Math.max(0, Math.min(0xffffffff, Math.ceil(flight.deadline - now))),
      trace: flight.attempt === null || welcome.version < TRACED_SINCE ? null : encodeTraceContext(flight.attempt.wire),
      enclave: flight.route === null ? NO_ENCLAVE : flight.route.enclave,
      body,
    });
    return 'sent';
  }

  /** Bytes of an upload; the caller keeps to the credit. */
  sendData(flight: Flight, bytes: Uint8Array, last: boolean): void {
    if (this.#flights.get(flight.id) === flight) this.#writer?.record(last ? END : DATA, 0, 0, flight.id, bytes);
  }

  grant(flight: Flight, bytes: number): void {
    if (this.#flights.get(flight.id) === flight) this.#writer?.numbers(CREDIT, 0, flight.id, bytes);
  }

  /** Nobody waits for it any more. */
  cancel(flight: Flight): void {
    if (this.#flights.get(flight.id) !== flight) return;
    this.#remove(flight);
    this.#writer?.record(CANCEL, 0, 0, flight.id, NOTHING);
  }

  /** Called every LINK_TICK_MS. */
  tick(now: number): void {
    for (const flight of this.#flights.values()) {
      if (flight.deadline > now) continue;
      this.cancel(flight);
      this.#events.expired(flight);
    }
    if (this.#socket === null) {
      if (this.#url !== null && now >= this.#attemptAt) this.#connect(this.#url, now);
    } else if (this.#welcome === null) {
      if (now > this.#attemptEnds) this.#drop('no handshake in time');
    } else if (now - this.#heard > SILENT_MS) this.#drop('silent', this.#heard);
    else if (now - this.#pinged > PING_EVERY_MS) {
      this.#pinged = now;
      this.#socket.ping();
    }
  }

  /** Gives the link up until the shard is met again. What was under way is `lost`. */
  rest(why: string): void {
    this.#url = null;
    if (this.#socket) this.#drop(why);
  }

  close(): void {
    this.rest('closed');
  }

  #freshId(): number {
    do this.#nextId = this.#nextId === 0xffffffff ? 1 : this.#nextId + 1;
    while (this.#flights.get(this.#nextId) !== undefined);
    return this.#nextId;
  }

  #tellTopology(writer: FrameWriter): Topology {
    const topology = this.#o.topology();
    if (topology.version > this.#told) {
      this.#told = topology.version;
      writeTopology(writer, topology);
    }
    return topology;
  }

  #remove(flight: Flight): void {
    if (this.#flights.delete(flight.id)) this.#bytes -= flight.body.length;
  }

  #connect(url: string, now: number): void {
    this.#attemptEnds = now + HANDSHAKE_MS;
    let socket: WebSocket;
    try {
      socket = this.#dial(url);
    } catch (error) {
      // What a heartbeat says may be no address at all.
      return this.#drop(error instanceof Error ? error.message : String(error));
    }
    this.#socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (socket === this.#socket) this.#refusals = error.code === 'ECONNREFUSED' ? this.#refusals + 1 : 0;
      this.#failed(socket, error.message);
    });
    socket.once('close', (code, reason) => this.#failed(socket, reason.toString() || `closed with ${code}`));
    socket.once('message', (hello: Buffer) => this.#prove(socket, hello));
  }

  /** Throws SyntaxError if `url` is none. */
  #dial(url: string): WebSocket {
    // Masks keep proxies from being fooled by a browser's bytes; here is neither, and a mask of zeros costs nothing.
    return new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME,
      handshakeTimeout: HANDSHAKE_MS,
      generateMask: (mask) => void mask.fill(0),
      ...this.#o.tls,
    });
  }

  #prove(socket: WebSocket, hello: Buffer): void {
    const { secret, shard, versions = LINK_VERSIONS } = this.#o;
    this.#checked(socket, () => {
      if (commonVersion(decodeHello(hello).versions, versions) === 0)
        throw new MalformedFrame('no common version of the link');
      const proof = encodeProof(secret, hello, { versions, shard, nonce: randomBytes(32) });
      socket.send(proof);
      socket.once('message', (bytes: Buffer) =>
        this.#checked(socket, () => {
          const welcome = decodeWelcome(secret, hello, proof, bytes);
          if (!welcome) throw new MalformedFrame('the shard holds another link secret');
          if (welcome.shard !== shard) throw new MalformedFrame(`it is shard ${welcome.shard}`);
          this.#welcomed(socket, welcome);
        }),
      );
    });
  }

  #welcomed(socket: WebSocket, welcome: Welcome): void {
    const began = performance.now();
    const heard = (): void => {
      this.#heard = performance.now();
    };
    heard();
    this.#pinged = began;
    this.#welcome = welcome;
    this.#told = welcome.topology.version;
    this.#backoff = FIRST_BACKOFF_MS;
    this.#downSince = 0;
    this.#refusals = 0;
    this.#leaving = false;
    this.#writer = new FrameWriter(
      (frame, sent) => socket.send(frame, { binary: true }, sent),
      () => performance.now() - began,
    );
    socket.on('pong', heard).on('ping', heard);
    socket.on('message', (data: Buffer) => {
      heard();
      this.#checked(socket, () => {
        const reader = new FrameReader(data);
        while (reader.next()) this.#record(reader);
      });
    });
    if (isTopology(welcome.topology)) this.#events.topology(welcome.topology);
    this.#events.up(this.shard, welcome);
  }

  #record(r: FrameReader): void {
    if (r.kind === TOPOLOGY) {
      const topology = readTopology(r);
      this.#told = Math.max(this.#told, topology.version);
      return this.#events.topology(topology);
    }
    if (r.kind === LEAVING) {
      this.#leaving = true;
      return;
    }
    const flight = this.#flights.get(r.id);
    // An answer may cross the cancellation of its request.
    if (!flight) return;
    switch (r.kind) {
      case ANSWER:
        this.#remove(flight);
        return this.#events.answered(flight, r.code, r.payload());
      case MOVED:
        this.#remove(flight);
        return this.#events.moved(flight, this.shard, r.number(0), (r.flags & RELEASED) !== 0);
      case MISROUTED:
        this.#remove(flight);
        return this.#events.misrouted(flight, r.bytes(0, 32));
      case STALE:
        this.#remove(flight);
        return this.#events.stale(flight);
      case BEGIN:
        return this.#events.began(flight, r.code);
      case DATA:
        return this.#events.data(flight, r.payload(), this);
      case END:
        this.#remove(flight);
        return this.#events.ended(flight, r.payload());
      case ABORT:
        this.#remove(flight);
        return this.#events.aborted(flight);
      case CREDIT:
        return this.#events.credit(flight, r.number(0), this);
      default:
        throw new MalformedFrame(`kind ${r.kind} is no shard's`);
    }
  }

  /** What does not follow the protocol ends the connection, and nothing else. */
  #checked(socket: WebSocket, work: () => void): void {
    if (socket !== this.#socket) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#failed(socket, error.message);
    }
  }

  #failed(socket: WebSocket, why: string): void {
    if (socket === this.#socket) this.#drop(why);
  }

  /** `since`: when it was last known to work (performance.now()); by default until now. */
  #drop(why: string, since = performance.now()): void {
    const now = performance.now();
    this.#writer?.close();
    this.#socket?.terminate();
    this.#socket = null;
    this.#writer = null;
    this.#welcome = null;
    if (this.#downSince === 0) this.#downSince = since;
    this.#attemptAt = now + this.#backoff * (0.5 + Math.random() / 2);
    this.#backoff = Math.min(this.#backoff * 2, MAX_BACKOFF_MS);
    const flights = this.#flights.values();
    this.#flights.clear();
    this.#bytes = 0;
    this.#events.down(this.shard, why);
    for (const flight of flights) this.#events.lost(flight, this.shard);
  }
}
