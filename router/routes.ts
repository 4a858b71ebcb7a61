import { candidates, type Topology } from '../cluster/topology/topology.ts';
import { fromHex } from '../protocol/hex.ts';

/** Enclaves whose candidates are remembered; the oldest are forgotten, and worked out anew when they are asked for. */
const MAX_ROUTES = 65_536;
/** How long it is believed that another shard than the first choice has an enclave, ms: the first choice is then asked again. */
const OWNER_MS = 10_000;

/** What a router knows of one enclave. */
export interface Route {
  readonly enclave: Uint8Array;
  /** as many candidates as have been needed so far, in order (cluster/topology/topology.ts) */
  readonly known: number[];
  readonly rest: Iterator<number, void>;
  /** topology version under which they were worked out */
  version: number;
  /** the shard that has it although it is not the first choice, −1 if none is known; believed until then (performance.now()) */
  owner: number;
  ownerUntil: number;
}

/** The routes of a topology. Bounded; a new topology forgets all of them. */
export class Routes {
  #topology: Topology;
  readonly #routes = new Map<string, Route>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  adopt(topology: Topology): void {
    this.#topology = topology;
    this.#routes.clear();
  }

  /** Null if `hex` is no enclave id. */
  find(hex: string): Route | null {
    const known = this.#routes.get(hex);
    if (known) return known;
    const enclave = fromHex(hex, 32);
    return enclave === null ? null : this.#add(hex, enclave);
  }

  of(enclave: Uint8Array): Route {
    const hex = Buffer.from(enclave.buffer, enclave.byteOffset, enclave.length).toString('hex');
    return this.#routes.get(hex) ?? this.#add(hex, Uint8Array.from(enclave));
  }

  /** The route under the newest topology: one that was found before may be of an older. */
  current(route: Route): Route {
    return route.version === this.#topology.version ? route : this.of(route.enclave);
  }

  #add(hex: string, enclave: Uint8Array): Route {
    const { version, shards } = this.#topology;
    const route = { enclave, known: [], rest: candidates(enclave, shards), version, owner: -1, ownerUntil: 0 };
    if (this.#routes.size >= MAX_ROUTES) this.#routes.delete(this.#routes.keys().next().value as string);
    this.#routes.set(hex, route);
    return route;
  }
}

/** Candidate number `n` of a route, −1 when there are no more. */
export function candidate(route: Route, n: number): number {
  while (route.known.length <= n) {
    const next = route.rest.next();
    if (next.done) return -1;
    route.known.push(next.value);
  }
  return route.known[n] as number;
}

/** It is known where the enclave is; −1: with its first choice, as far as anybody knows. */
export function ownedBy(route: Route, shard: number): void {
  route.owner = shard;
  route.ownerUntil = performance.now() + OWNER_MS;
}

/** −1 if nothing else is known than the first choice. */
export function ownerOf(route: Route): number {
  if (route.owner >= 0 && performance.now() > route.ownerUntil) route.owner = -1;
  return route.owner;
}
