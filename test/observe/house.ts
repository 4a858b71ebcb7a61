import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningRouter } from '../../router/router.ts';
import { TestNode } from '../api/node.ts';
import { TestCluster } from '../cluster/test-cluster.ts';
import { Prometheus, type Target } from '../parts/prometheus.ts';
import { type RedisServer, startRedis, startReplicated } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';

const LOOK_MS = 30_000;

const urlOf = ({ host, port }: RedisServer): string => `redis://${host}:${port}`;

/** A cluster over real Redis servers and a single node, both with an archive, and a Prometheus that looks at them. */
export class House implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'enc-observe-'));
  /** ms added to the clock of the cluster */
  skew = 0;
  log!: RedisServer;
  replica!: RedisServer;
  guard!: RedisServer;
  cluster!: TestCluster;
  node!: TestNode;
  prometheus!: Prometheus;
  /** what Prometheus looks at besides */
  readonly others: Target[] = [];

  static async open(): Promise<House> {
    const house = new House();
    try {
      await house.#open();
    } catch (error) {
      await house[Symbol.asyncDispose]();
      throw error;
    }
    return house;
  }

  archive(part: 'node' | 'cluster'): string {
    return join(this.folder, `archive-${part}`);
  }

  /** Everything that is looked at now. */
  get targets(): Target[] {
    const shards = [...this.cluster.shards].map(([shard, { operatorUrl }]) => ({
      ...{ job: 'shard', instance: `shard-${shard}`, url: operatorUrl },
    }));
    const router = { job: 'router', instance: 'router-0', url: (this.cluster.routers[0] as RunningRouter).operatorUrl };
    return [router, ...this.others, ...shards, { job: 'node', instance: 'node-0', url: this.node.operatorUrl }];
  }

  /** Prometheus forgets what was before. Resolves when it has seen everything, and judged it. */
  async lookAnew(): Promise<void> {
    await this.prometheus.forget();
    await waitFor('two looks at everything', LOOK_MS, async () => {
      const seen = await this.prometheus.query('count_over_time(up[1m]) >= 2');
      const judged = await this.prometheus.query('enc:answers_failed:ratio_rate1h');
      const all = this.targets.every(({ instance }) => seen.some(({ metric }) => metric['instance'] === instance));
      return all && judged.length > 0;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prometheus?.stop();
    await this.cluster?.[Symbol.asyncDispose]();
    await this.node?.[Symbol.asyncDispose]();
    for (const server of [this.log, this.replica, this.guard]) await server?.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #open(): Promise<void> {
    for (const part of ['node', 'cluster'] as const) mkdirSync(this.archive(part));
    const [logs, guard] = await Promise.all([startReplicated(1, { config: { maxmemory: '512mb' } }), startRedis()]);
    this.log = logs.primary;
    this.replica = logs.replicas[0] as RedisServer;
    this.guard = guard;
    this.cluster = await TestCluster.start({
      shards: 2,
      redis: { log: urlOf(this.log), guard: urlOf(guard), topology: urlOf(guard) },
      data: join(this.folder, 'cluster'),
      now: () => Date.now() + this.skew,
      shardFlags: ['--archive-dir', this.archive('cluster')],
      routerFlags: ['--router-timeout-ms', '3000'],
    });
    // One enclave in memory at a time: two that are used in turn are opened and put to sleep all the time.
    this.node = await TestNode.start({
      data: join(this.folder, 'node'),
      flags: [
        '--archive-dir',
        this.archive('node'),
        '--crypto',
        'wasm',
        '--max-active',
        '1',
        '--max-body',
        '1MiB',
        '--max-pending-bytes',
        '1MiB',
      ],
    });
    this.prometheus = await Prometheus.start(this.targets);
    await this.lookAnew();
  }
}
