import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalCluster, type LocalClusterOptions } from '../cluster/local/local-cluster.ts';
import { type Replicated, startReplicated } from '../test/parts/redis.ts';
import { clusterStores, Filler } from './fill.ts';
import { processCpu, treeCpu } from './process-cpu.ts';

/** CPU used so far, or in a while, seconds. */
export interface PartsCpu {
  readonly router: number;
  readonly shards: number;
  /** the primary of each Redis */
  readonly log: number;
  readonly guard: number;
  readonly replicas: number;
}

export interface HouseOptions extends Pick<LocalClusterOptions, 'shards' | 'shardEnv' | 'respawn' | 'nodeArgs'> {
  /** of each of the two Redis */
  readonly replicas?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A whole cluster with its two Redis, in processes of their own, for a bench to fill, load and break. */
export class ClusterHouse {
  readonly log: Replicated;
  readonly guard: Replicated;
  readonly #data: string;
  #cluster: LocalCluster | null = null;
  #url = '';
  // A bench that fails must not leave its cluster behind.
  readonly #abandon = (): void => this.#cluster?.kill();

  private constructor(log: Replicated, guard: Replicated) {
    this.log = log;
    this.guard = guard;
    this.#data = mkdtempSync(join(tmpdir(), 'enc-bench-cluster-'));
    process.once('exit', this.#abandon);
  }

  /** The two Redis. Shards and router come with `start`, so that there may be something in the stores before. */
  static async open(replicas = 0): Promise<ClusterHouse> {
    const [log, guard] = await Promise.all([startReplicated(replicas), startReplicated(replicas)]);
    return new ClusterHouse(log, guard);
  }

  /** Redis servers, router and shards in one. */
  static async start(options: HouseOptions): Promise<ClusterHouse> {
    const house = await ClusterHouse.open(options.replicas);
    try {
      await house.start(options);
      return house;
    } catch (error) {
      await house.remove();
      throw error;
    }
  }

  /** of the router */
  get url(): string {
    return this.#url;
  }

  get cluster(): LocalCluster {
    if (!this.#cluster) throw new Error('the cluster has not been started');
    return this.#cluster;
  }

  get logUrl(): string {
    return redisUrl(this.log);
  }

  async fill<T>(work: (filler: Filler) => Promise<T>): Promise<T> {
    const stores = await clusterStores(this.logUrl, redisUrl(this.guard), join(this.#data, 'keys'));
    const filler = await Filler.open(stores);
    try {
      return await work(filler);
    } finally {
      await filler.close();
    }
  }

  async start({ shards, env, ...rest }: HouseOptions): Promise<void> {
    const { cluster, url } = await LocalCluster.start(
      {
        ...rest,
        shards,
        host: '127.0.0.1',
        port: 0,
        data: this.#data,
        redis: this.logUrl,
        guard: redisUrl(this.guard),
        env: { ...process.env, ENC_LOG_LEVEL: 'error', ...env },
      },
      () => {},
    );
    this.#cluster = cluster;
    this.#url = url;
  }

  /** Process id of a shard. */
  shard(number: number): number {
    const [pid] = this.cluster.pids(new RegExp(`^shard ${number}$`));
    if (pid === undefined) throw new Error(`shard ${number} does not run`);
    return pid;
  }

  /** `shards`: how many of them take part, the first ones. */
  cpu(shards: number): PartsCpu {
    const of = (name: RegExp): number => this.cluster.pids(name).reduce((sum, pid) => sum + treeCpu(pid), 0);
    const taking = Array.from({ length: shards }, (_, i) => i).join('|');
    const sum = (servers: Replicated['replicas']): number =>
      servers.reduce((used, server) => used + processCpu(server.pid), 0);
    return {
      router: of(/^router/),
      shards: of(new RegExp(`^shard (${taking})$`)),
      log: sum([this.log.primary]),
      guard: sum([this.guard.primary]),
      replicas: sum([...this.log.replicas, ...this.guard.replicas]),
    };
  }

  /** What all parts have used since `start`. */
  cpuSince(start: PartsCpu, shards: number): PartsCpu {
    const now = this.cpu(shards);
    return {
      router: now.router - start.router,
      shards: now.shards - start.shards,
      log: now.log - start.log,
      guard: now.guard - start.guard,
      replicas: now.replicas - start.replicas,
    };
  }

  async remove(): Promise<void> {
    process.off('exit', this.#abandon);
    await this.#cluster?.stop();
    await Promise.all([this.log.remove(), this.guard.remove()]);
    rmSync(this.#data, { recursive: true, force: true });
  }
}

function redisUrl({ primary }: Replicated): string {
  return `redis://${primary.host}:${primary.port}`;
}
