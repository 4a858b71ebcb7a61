import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { MemoryTopology } from '../../cluster/topology/memory-topology.ts';
import type { Topology } from '../../cluster/topology/topology.ts';
import type { Sight } from '../../cluster/topology/topology-store.ts';
import { makeRouterConfig, readRouterEnv } from '../../router/config/router-config.ts';
import { ROUTER_SETTINGS } from '../../router/config/router-settings.ts';
import { type RunningRouter, startRouter } from '../../router/router.ts';
import { makeConfig } from '../../shard/config/config.ts';
import { readEnv } from '../../shard/config/env.ts';
import { flagOf } from '../../shard/config/setting.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { type RunningShard, startShard } from '../../shard/shard.ts';
import { openStores, type Stores } from '../../shard/stores.ts';
import type { Tracing } from '../../tracing/tracing.ts';

const NOBODY = 'redis://127.0.0.1:1';

export interface TestClusterOptions {
  readonly shards?: number;
  readonly now?: () => number;
  readonly adminToken?: string | null;
  /** flags of shards and routers alike, such as `--max-body` */
  readonly flags?: readonly string[];
  readonly shardFlags?: readonly string[];
  readonly routerFlags?: readonly string[];
  readonly onFatal?: (reason: string) => void;
  readonly data?: string;
  /** of each shard and router (shard null), which closes it */
  readonly tracing?: (service: string, shard: number | null) => Promise<Tracing | null>;
  /** each shard with stores of its own over these servers; default: all share those of the data folder */
  readonly redis?: RedisAddresses;
}

export interface RedisAddresses {
  /** as ENC_LOG_REDIS */
  readonly log: string;
  /** or where a shard of that number finds it */
  readonly guard: string | ((shard: number) => string);
  /** takes hints of the archive */
  readonly topology: string;
}

/**
 * A cluster in this process: shards that share the stores of one data folder (a real log, whose epochs fence them from
 * each other), linked to routers by real links.
 */
export class TestCluster {
  readonly topology = new MemoryTopology();
  readonly data: string;
  readonly shards = new Map<number, RunningShard>();
  readonly routers: RunningRouter[] = [];
  readonly logger = pino({ level: process.env['ENC_TEST_LOG'] ?? 'silent' });
  readonly #o: TestClusterOptions;
  #stores: Stores | null = null;

  private constructor(options: TestClusterOptions) {
    this.#o = options;
    this.data = options.data ?? mkdtempSync(join(tmpdir(), 'enc-cluster-'));
    mkdirSync(this.data, { recursive: true });
    writeFileSync(this.secret, 'a link secret of tests, which is long enough', { mode: 0o600 });
  }

  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    const count = options.shards ?? 2;
    await cluster.topology.publish(0, count);
    for (let shard = 0; shard < count; shard++) await cluster.startShard(shard);
    await cluster.startRouter();
    return cluster;
  }

  get secret(): string {
    return join(this.data, 'link-secret');
  }

  /** what its shards share; there since the first of them */
  get stores(): Stores {
    return this.#stores as Stores;
  }

  get url(): string {
    return (this.routers[0] as RunningRouter).url;
  }

  async startShard(shard: number): Promise<RunningShard> {
    const { now, onFatal, redis } = this.#o;
    const topology = redis?.topology ?? NOBODY;
    const guard = typeof redis?.guard === 'function' ? redis.guard(shard) : redis?.guard;
    const servers = redis && guard ? ['--log-redis', redis.log, '--guard-redis', guard] : [];
    const config = makeConfig(
      settings(
        readEnv({}, [
          ...['--data', this.data, '--shard', String(shard), '--topology-url', topology, '--link-secret', this.secret],
          ...servers,
          ...['--ops-port', '0', '--crypto-workers', '1', ...(this.#o.flags ?? []), ...(this.#o.shardFlags ?? [])],
        ]),
      ),
    );
    const hooks = {
      logger: this.logger,
      version: '0.0.0-test',
      onFatal: onFatal ?? (() => {}),
      ...(now ? { now } : {}),
      tracing: (await this.#o.tracing?.('enc-shard', shard)) ?? null,
    };
    if (!redis) this.#stores ??= await openStores(config, openSecp256k1(), hooks);
    const stores = this.#stores ? { stores: this.#stores } : {};
    const running = await startShard(config, null, hooks, { ...stores, topology: this.topology });
    this.shards.set(shard, running);
    return running;
  }

  /** `stale`: a topology that this router believes in until somebody tells it of a newer one. */
  async startRouter(stale?: Topology): Promise<RunningRouter> {
    const read = readRouterEnv({}, [
      ...['--data', this.data, '--port', '0', '--topology-url', NOBODY, '--link-secret', this.secret],
      ...known(this.#o.flags ?? []),
      ...(this.#o.routerFlags ?? []),
    ]);
    const config = makeRouterConfig(settings(read));
    const hooks = {
      logger: this.logger,
      version: '0.0.0-test',
      tracing: (await this.#o.tracing?.('enc-router', null)) ?? null,
      store: stale ? new StaleTopology(this.topology, stale) : this.topology,
    };
    const router = await startRouter(config, this.#o.adminToken ?? null, hooks);
    this.routers.push(router);
    await linked(router, stale ? 1 : (await this.topology.look()).beats.size);
    return router;
  }

  async stopShard(shard: number): Promise<void> {
    await this.shards.get(shard)?.stop();
    this.shards.delete(shard);
  }

  /** Ends the processes' parts; the data stay. */
  async halt(): Promise<void> {
    for (const router of this.routers.splice(0)) await router.stop();
    for (const shard of [...this.shards.keys()]) await this.stopShard(shard);
    await this.#stores?.close();
    this.#stores = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt();
    if (this.#o.data === undefined) rmSync(this.data, { recursive: true, force: true });
  }
}

/** Sees the shards, and an old topology. */
class StaleTopology extends MemoryTopology {
  readonly #real: MemoryTopology;
  readonly #old: Topology;

  constructor(real: MemoryTopology, old: Topology) {
    super();
    this.#real = real;
    this.#old = old;
  }

  override async look(): Promise<Sight> {
    return { topology: this.#old, beats: (await this.#real.look()).beats };
  }
}

/** Those of a shard's flags that a router has too. */
function known(flags: readonly string[]): string[] {
  const names = new Set(Object.values(ROUTER_SETTINGS).map(({ env }) => flagOf(env)));
  return flags.flatMap((flag, i) => (i % 2 === 0 && names.has(flag) ? [flag, flags[i + 1] as string] : []));
}

function settings<Raw>(read: { kind: 'settings'; raw: Raw } | { kind: 'help' }): Raw {
  if (read.kind !== 'settings') throw new Error('these settings ask for help');
  return read.raw;
}

/** Resolves when the router has links to `count` shards; rejects after 5 s. */
async function linked(router: RunningRouter, count: number): Promise<void> {
  const until = performance.now() + 5000;
  for (;;) {
    const metrics = await (await fetch(`${router.operatorUrl}/metrics`)).text();
    if (Number(/^enc_router_reachable_shards (\d+)$/m.exec(metrics)?.[1]) >= count) return;
    if (performance.now() > until) throw new Error(`the router reached too few shards:\n${metrics}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
