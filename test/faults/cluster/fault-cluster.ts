import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Topology } from '../../../cluster/topology/topology.ts';
import {
  type RedisServer,
  type Replicated,
  SENTINEL_NAME,
  startRedis,
  startReplicated,
  startSentinels,
} from '../../parts/redis.ts';
import { TcpProxy } from '../../parts/tcp-proxy.ts';
import type { FaultPlan } from '../fault-plan.ts';
import { NodeProcess } from '../node-process.ts';
import type { RouterPlan } from './router-main.ts';

const ROUTER_MAIN = fileURLToPath(new URL('router-main.ts', import.meta.url));

export interface ClusterOptions {
  readonly shards: number;
  readonly routers: number;
  /** of the log's Redis; 'sentinel': three of them watch it, and shards ask them */
  readonly replicas?: number;
  readonly sentinel?: boolean;
  /** what goes wrong inside a shard, in its first life */
  readonly plans?: readonly (FaultPlan | undefined)[];
  /** shards that the first topology names; default all */
  readonly published?: number;
}

/** A shard: its process comes and goes, its links stay. */
export interface ShardPart {
  readonly shard: number;
  node: NodeProcess | null;
  readonly toLog: TcpProxy;
  readonly toGuard: TcpProxy;
  /** by router */
  readonly links: readonly TcpProxy[];
}

export interface RouterPart {
  readonly router: number;
  node: NodeProcess | null;
  readonly toTopology: TcpProxy;
  /** where clients reach it */
  readonly door: TcpProxy;
}

/** A cluster of real processes, with a link that can fail between any two of them. */
export class FaultCluster {
  readonly shards: ShardPart[] = [];
  readonly routers: RouterPart[] = [];
  readonly data: string;
  /** all that processes which are gone have said */
  readonly outputs: string[] = [];
  readonly guard: RedisServer;
  readonly log: Replicated;
  readonly sentinels: readonly RedisServer[];
  readonly #o: ClusterOptions;
  readonly #adopted: RedisServer[] = [];
  /** of processes that are gone */
  readonly #counted = new Map<string, number>();

  private constructor(folder: string, options: ClusterOptions, parts: [Replicated, RedisServer, RedisServer[]]) {
    this.data = join(folder, 'data');
    this.#o = options;
    [this.log, this.guard, this.sentinels] = parts;
  }

  static async start(folder: string, options: ClusterOptions): Promise<FaultCluster> {
    const [log, guard] = await Promise.all([startReplicated(options.replicas ?? 0), startRedis()]);
    const sentinels = options.sentinel ? await startSentinels(log) : [];
    const cluster = new FaultCluster(folder, options, [log, guard, sentinels]);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** A living router's address, past its proxy. */
  get url(): string {
    const node = this.routers.find(({ node }) => node?.running)?.node;
    if (!node) throw new Error('no router runs');
    return node.url;
  }

  async startShard(part: ShardPart, plan?: FaultPlan): Promise<void> {
    const { shard, toLog, toGuard, links } = part;
    const at = (proxy: TcpProxy): string => `redis://127.0.0.1:${proxy.port}`;
    part.node = await NodeProcess.start({
      data: join(this.data, `shard-${shard}`),
      env: {
        ...this.#common(),
        ENC_SHARD: String(shard),
        ENC_LOG_REDIS: this.#o.sentinel ? this.#sentinelUrl : at(toLog),
        ENC_TOPOLOGY_URL: this.#o.sentinel ? this.#sentinelUrl : at(toLog),
        ENC_GUARD_REDIS: at(toGuard),
      },
      // Without a plan it is the product's own entry.
      ...(plan ? { plan } : {}),
    });
    const port = Number(new URL(part.node.url).port);
    for (const link of links) link.target = { port };
  }

  async startRouter(part: RouterPart, topology?: Topology): Promise<void> {
    const plan: RouterPlan = {
      links: this.shards.map(({ links }) => (links[part.router] as TcpProxy).port),
      ...(topology ? { topology } : {}),
    };
    part.node = await NodeProcess.launch({
      args: [ROUTER_MAIN, '--port', '0', '--ops-port', '0', '--log-level', 'info'],
      env: {
        ...this.#common(),
        ENC_DATA: this.data,
        ENC_SHARDS: String(this.#o.published ?? this.#o.shards),
        ENC_TOPOLOGY_URL: this.#o.sentinel ? this.#sentinelUrl : `redis://127.0.0.1:${part.toTopology.port}`,
        ENC_FAULT: JSON.stringify(plan),
      },
      ready: /^router on (\S+)$/m,
    });
    part.door.target = { port: Number(new URL(part.node.url).port) };
  }

  /** kill -9. What it has counted so far is kept, if it still says. */
  async kill(part: ShardPart | RouterPart): Promise<void> {
    const { node } = part;
    if (!node) return;
    if (node.running) await this.#keep(node);
    await node.kill();
    this.outputs.push(node.said);
    part.node = null;
    for (const proxy of 'door' in part ? [part.door] : part.links) proxy.target = null;
  }

  /** From now on the log is this server: for everybody who asks for it by address. */
  logIsAt(server: RedisServer): void {
    for (const proxy of [...this.shards.map(({ toLog }) => toLog), ...this.routers.map((r) => r.toTopology)]) {
      proxy.target = server.address;
      proxy.reset();
    }
  }

  /** A server that ends with the cluster. */
  adopt(server: RedisServer): void {
    this.#adopted.push(server);
  }

  /** The sum of a metric over every process that ever ran, as far as it could be asked; `name` with its labels. */
  async count(name: string): Promise<number> {
    let sum = this.#counted.get(name) ?? 0;
    for (const { node } of [...this.shards, ...this.routers])
      if (node?.running && !node.frozen) sum += await metricOf(node, name);
    return sum;
  }

  /** Every link is whole, every process runs. */
  async mend(): Promise<void> {
    for (const { node } of [...this.shards, ...this.routers]) node?.thaw();
    for (const server of [this.log.primary, ...this.log.replicas, this.guard]) server.thaw();
    for (const proxy of this.#proxies()) proxy.weather = { kind: 'fair' };
    await Promise.all([
      ...this.shards.filter(({ node }) => !node?.running).map((part) => this.startShard(part)),
      ...this.routers.filter(({ node }) => !node?.running).map((part) => this.startRouter(part)),
    ]);
  }

  /** Ends everything by force. */
  async stop(): Promise<void> {
    await Promise.all([...this.shards, ...this.routers].map(({ node }) => node?.kill()));
    await Promise.all([...this.#proxies()].map((proxy) => proxy.close()));
    const servers = [this.guard, ...this.sentinels, ...this.#adopted];
    await Promise.all([this.log.remove(), ...servers.map((one) => one.remove())]);
  }

  get #sentinelUrl(): string {
    return `sentinel://${this.sentinels.map(({ host, port }) => `${host}:${port}`).join(',')}/${SENTINEL_NAME}`;
  }

  #common(): Record<string, string> {
    return { ENC_LINK_SECRET: join(this.data, 'link-secret'), ENC_KEYS_DIR: join(this.data, 'keys') };
  }

  async #start(): Promise<void> {
    mkdirSync(this.data, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.data, 'link-secret'), `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    for (let router = 0; router < this.#o.routers; router++) {
      const toTopology = await TcpProxy.listen(this.log.primary.address);
      this.routers.push({ router, node: null, toTopology, door: await TcpProxy.listen() });
    }
    for (let shard = 0; shard < this.#o.shards; shard++) this.shards.push(await this.#shardPart(shard));
    await Promise.all(this.shards.map((part) => this.startShard(part, this.#o.plans?.[part.shard])));
    await Promise.all(this.routers.map((part) => this.startRouter(part)));
  }

  async #shardPart(shard: number): Promise<ShardPart> {
    const toLog = await TcpProxy.listen(this.log.primary.address);
    const toGuard = await TcpProxy.listen(this.guard.address);
    const links = await Promise.all(this.routers.map(() => TcpProxy.listen()));
    return { shard, node: null, toLog, toGuard, links };
  }

  *#proxies(): Iterable<TcpProxy> {
    for (const { toLog, toGuard, links } of this.shards) yield* [toLog, toGuard, ...links];
    for (const { toTopology, door } of this.routers) yield* [toTopology, door];
  }

  async #keep(node: NodeProcess): Promise<void> {
    // A frozen process, or one that dies meanwhile, says nothing.
    const text = await node.metrics(1000).catch(() => '');
    for (const line of text.split('\n')) {
      const [, name, value] = /^(enc_[^ ]+) (\S+)$/.exec(line) ?? [];
      if (name !== undefined) this.#counted.set(name, (this.#counted.get(name) ?? 0) + Number(value));
    }
  }
}

/** 0 where the process does not know it. */
export async function metricOf(node: NodeProcess, name: string): Promise<number> {
  const text = await node.metrics(5000).catch(() => '');
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
