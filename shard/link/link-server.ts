import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { MalformedFrame } from '../../cluster/link/frame-reader.ts';
import {
  commonVersion,
  decodeProof,
  encodeHello,
  encodeWelcome,
  LINK_VERSIONS,
  type Versions,
} from '../../cluster/link/handshake.ts';
import { CLOSE } from '../../cluster/link/records.ts';
import type { Topology } from '../../cluster/topology/topology.ts';
import { type ConnectionModules, LinkConnection, type Window } from './link-connection.ts';

/** Time in which a router must have proved itself, ms. */
const HANDSHAKE_MS = 2000;
/** Connections at once, those that have not proved themselves included: routers, and theirs that are being replaced. */
const MAX_CONNECTIONS = 256;
/** How often a quiet router is looked after, ms. */
const PING_EVERY_MS = 1000;
/** A router that is silent for this long is gone, though its connection may look open, ms. */
const SILENT_MS = 5000;
/** Beside the largest body, a frame holds at most what a writer collects before it sends. */
const FRAME_SLACK = 1024 * 1024;

export interface LinkServerOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: Uint8Array;
  readonly shard: number;
  /** random name of this process, 16 bytes */
  readonly process: Uint8Array;
  /** largest body of a request, bytes */
  readonly maxBody: number;
  readonly window: Window;
  readonly versions?: Versions;
  /** PEM files' contents: then both sides show certificates that `ca` signed */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly ca: Buffer } | null;
}

/** Where routers reach this shard (ARCHITECTURE §4). Nobody is listened to who has not proved to hold the link secret. */
export class LinkServer {
  readonly #o: LinkServerOptions;
  readonly #m: ConnectionModules;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #all = new Set<WebSocket>();
  readonly #open = new Map<WebSocket, { connection: LinkConnection; heard: number }>();
  readonly #timer: NodeJS.Timeout;
  #refused = 0;

  private constructor(options: LinkServerOptions, modules: ConnectionModules) {
    this.#o = options;
    this.#m = modules;
    const { tls } = options;
    this.#http = tls ? createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }) : createServer();
    this.#http.on('request', (_request, response) => response.writeHead(426).end());
    this.#sockets = new WebSocketServer({
      server: this.#http,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: options.maxBody + FRAME_SLACK,
    });
    this.#sockets.on('connection', (socket) => void this.#greet(socket));
    this.#sockets.on('error', (error) => modules.failed(error, null));
    this.#timer = setInterval(() => this.#lookAfter(), PING_EVERY_MS);
  }

  static async listen(options: LinkServerOptions, modules: ConnectionModules): Promise<LinkServer> {
    const server = new LinkServer(options, modules);
    server.#http.listen({ host: options.host, port: options.port });
    try {
      await once(server.#http, 'listening');
    } catch (error) {
      clearInterval(server.#timer);
      throw error;
    }
    return server;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** connections that failed the handshake */
  get refused(): number {
    return this.#refused;
  }

  get routers(): number {
    return this.#open.size;
  }

  /** requests of all routers under way */
  get underWay(): number {
    let requests = 0;
    for (const { connection } of this.#open.values()) requests += connection.underWay;
    return requests;
  }

  tell(topology: Topology): void {
    for (const { connection } of this.#open.values()) connection.tell(topology);
  }

  /** Routers are told to ask others; what is under way is answered. */
  leave(): void {
    for (const { connection } of this.#open.values()) connection.leave();
  }

  /** Resolves when nothing is under way on any link, at the latest after `ms`. */
  async quiet(ms: number): Promise<void> {
    const until = performance.now() + ms;
    const busy = (): boolean => [...this.#open.values()].some(({ connection }) => connection.underWay > 0);
    while (busy() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const { connection } of this.#open.values()) connection.close();
    const closed = once(this.#http, 'close');
    this.#http.close();
    const late = setTimeout(() => {
      for (const socket of this.#all) socket.terminate();
    }, 500);
    await closed;
    clearTimeout(late);
  }

  async #greet(socket: WebSocket): Promise<void> {
    socket.on('error', () => socket.terminate());
    if (this.#all.size >= MAX_CONNECTIONS) return this.#refuse(socket, CLOSE.full, 'too many links');
    this.#all.add(socket);
    socket.once('close', () => this.#all.delete(socket));
    const late = setTimeout(() => this.#refuse(socket, CLOSE.late, 'no proof in time'), HANDSHAKE_MS);
    socket.once('close', () => clearTimeout(late));
    const { secret, shard, versions = LINK_VERSIONS } = this.#o;
    const hello = encodeHello({ versions, nonce: randomBytes(32) });
    socket.send(hello);
    socket.once('message', (proof: Buffer) => {
      clearTimeout(late);
      try {
        const router = decodeProof(secret, hello, proof);
        if (!router) return this.#refuse(socket, CLOSE.unauthorized, 'the link secret is another one');
        if (router.shard !== shard) return this.#refuse(socket, CLOSE.wrongShard, `this is shard ${shard}`);
        const version = commonVersion(versions, router.versions);
        if (version === 0) return this.#refuse(socket, CLOSE.version, 'no common version of the link');
        this.#welcome(socket, hello, proof, version);
      } catch (error) {
        if (!(error instanceof MalformedFrame)) throw error;
        this.#refuse(socket, CLOSE.malformed, error.message);
      }
    });
  }

  #welcome(socket: WebSocket, hello: Uint8Array, proof: Uint8Array, version: number): void {
    const { secret, shard, window, process } = this.#o;
    const about = this.#m.api.about() ?? '';
    const welcome = { version, shard, ...window, topology: this.#m.topology(), process, about };
    socket.send(encodeWelcome(secret, hello, proof, welcome));
    const entry = { connection: new LinkConnection(socket, window, this.#m), heard: performance.now() };
    this.#open.set(socket, entry);
    const heard = (): void => {
      entry.heard = performance.now();
    };
    socket.on('message', heard).on('pong', heard).on('ping', heard);
    socket.once('close', () => this.#open.delete(socket));
  }

  #refuse(socket: WebSocket, code: number, why: string): void {
    this.#refused++;
    socket.close(code, why);
    // Whoever does not close in turn is not waited for.
    setTimeout(() => socket.terminate(), 500).unref();
  }

  #lookAfter(): void {
    const now = performance.now();
    for (const [socket, { heard }] of this.#open) {
      if (now - heard > SILENT_MS) socket.terminate();
      else socket.ping();
    }
  }
}
