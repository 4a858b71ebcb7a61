import { randomBytes } from 'node:crypto';
import type { Versions } from '../../cluster/link/handshake.ts';
import type { Topology } from '../../cluster/topology/topology.ts';
import { Flight } from '../../router/flight.ts';
import { LINK_TICK_MS, type LinkEvents, ShardLink } from '../../router/shard-link.ts';
import type { Api, Exchange } from '../../shard/api/api.ts';
import { LinkServer } from '../../shard/link/link-server.ts';
import type { Ownership } from '../../shard/ownership/ownership.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { waitFor } from '../parts/wait-for.ts';

export const SECRET = Buffer.alloc(32, 5);
export const TOPOLOGY: Topology = { version: 3, shards: 2, before: 0 };

type Tls = { readonly cert: Buffer; readonly key: Buffer; readonly ca: Buffer };

export interface PairOptions {
  readonly api?: Partial<Api>;
  readonly shard?: { secret?: Uint8Array; versions?: Versions; shard?: number; tls?: Tls };
  readonly router?: { secret?: Uint8Array; versions?: Versions; tls?: Tls };
  readonly window?: { maxRequests: number; maxBytes: number };
  readonly tracing?: Tracing | null;
  readonly topology?: { shard?: Topology; router?: Topology };
  /** something between the two: from the shard's port to the one that the router is told */
  readonly via?: (port: number) => Promise<number>;
}

/** What happened to a flight: the name of the event and what it said. */
export type Happened = readonly [string, ...unknown[]];

/** Both ends of one real link. The shard's calls are the test's; whose enclave is whose is not asked. */
export class LinkPair implements AsyncDisposable {
  readonly server: LinkServer;
  readonly link: ShardLink;
  readonly happened = new Map<Flight, Happened[]>();
  readonly downs: string[] = [];
  readonly failures: [error: unknown, trace: Traced | null][] = [];
  readonly calls: Exchange[] = [];
  adopted: Topology | null = null;
  readonly #timer: NodeJS.Timeout;
  #url = '';

  private constructor(server: LinkServer, link: ShardLink, timer: NodeJS.Timeout) {
    this.server = server;
    this.link = link;
    this.#timer = timer;
  }

  static async open(options: PairOptions = {}): Promise<LinkPair> {
    let pair: LinkPair | null = null;
    const post: Api['post'] = (exchange) => void pair?.calls.push(exchange);
    const everyone = { admit: () => null, lost: async () => ({ shard: 1, released: false }) };
    const server = await LinkServer.listen(
      {
        host: '127.0.0.1',
        port: 0,
        secret: SECRET,
        shard: 0,
        process: randomBytes(16),
        maxBody: 1 << 20,
        window: options.window ?? { maxRequests: 100, maxBytes: 1 << 20 },
        ...options.shard,
      },
      {
        api: { about: () => '"name":"x"', post, ...options.api } as Api,
        ownership: everyone as unknown as Ownership,
        topology: () => options.topology?.shard ?? TOPOLOGY,
        adopt: (topology) => {
          if (pair) pair.adopted = topology;
        },
        failed: (error, trace) => void pair?.failures.push([error, trace]),
        answered: () => {},
        tracing: options.tracing ?? null,
      },
    );
    const tell =
      (name: string) =>
      (flight: Flight, ...said: unknown[]): void => {
        pair?.happened.get(flight)?.push([name, ...said.filter((one) => !(one instanceof ShardLink))]);
      };
    const events: LinkEvents = {
      answered: (flight, code, body) => tell('answered')(flight, code, Buffer.from(body).toString()),
      moved: tell('moved'),
      misrouted: (flight, enclave) => tell('misrouted')(flight, Buffer.from(enclave).toString('hex')),
      stale: tell('stale'),
      lost: tell('lost'),
      expired: tell('expired'),
      began: tell('began'),
      data: (flight, bytes) => tell('data')(flight, bytes.length),
      ended: (flight, bytes) => tell('ended')(flight, bytes.length),
      aborted: tell('aborted'),
      credit: tell('credit'),
      topology: (topology) => {
        if (pair) pair.adopted = topology;
      },
      up: () => {},
      down: (_shard, why) => void pair?.downs.push(why),
    };
    const link = new ShardLink(
      { shard: 0, secret: SECRET, topology: () => options.topology?.router ?? TOPOLOGY, ...options.router },
      events,
    );
    const timer = setInterval(() => link.tick(performance.now()), LINK_TICK_MS / 5);
    pair = new LinkPair(server, link, timer);
    const scheme = options.shard?.tls ? 'wss' : 'ws';
    pair.#url = `${scheme}://127.0.0.1:${(await options.via?.(server.port)) ?? server.port}`;
    pair.meet();
    return pair;
  }

  /** The router sees the shard's heartbeat. */
  meet(process = 'process'): void {
    this.link.meet(this.#url, process);
  }

  async up(): Promise<void> {
    await waitFor('the link', 5000, () => this.link.open);
  }

  /** Resolves when the router has given the link up, to why. */
  async refused(): Promise<string> {
    await waitFor('a refusal', 5000, () => this.downs.length > 0);
    return this.downs[0] as string;
  }

  send(
    body: string | Uint8Array,
    options: { ms?: number; op?: number; attempt?: Traced } = {},
  ): { flight: Flight; sent: string } {
    const now = performance.now();
    const target = { answer: () => {} };
    const flight = new Flight(options.op ?? 1, 0, Buffer.from(body), null, target, null, now + (options.ms ?? 5000));
    flight.attempt = options.attempt ?? null;
    this.happened.set(flight, []);
    return { flight, sent: this.link.send(flight, false, now) };
  }

  async outcome(flight: Flight, count = 1): Promise<Happened[]> {
    const seen = this.happened.get(flight) as Happened[];
    await waitFor('what becomes of a request', 5000, () => seen.length >= count);
    return seen;
  }

  /** The call that the shard has got last, when there are `count`. */
  async arrived(count = 1): Promise<Exchange> {
    await waitFor('a call', 5000, () => this.calls.length >= count);
    return this.calls[count - 1] as Exchange;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.link.close();
    await this.server.close();
  }
}
