import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { RunningRouter } from '../../router/router.ts';
import { makeConfig } from '../../shard/config/config.ts';
import { readEnv } from '../../shard/config/env.ts';
import { type RunningShard, type ShardOverrides, startShard } from '../../shard/shard.ts';
import { TestCluster } from '../cluster/test-cluster.ts';
import { exchange, type RawAnswer, type RawRequest } from './http.ts';

export interface NodeOptions {
  /** flags as on the command line, such as `--max-body`, '4096' */
  readonly flags?: readonly string[];
  /** the configured admin token; null: the node makes one up (development) */
  readonly adminToken?: string | null;
  /** data folder; kept by `stop` if it is given */
  readonly data?: string;
  /** parts of the shard that are wrapped; of one node only */
  readonly overrides?: ShardOverrides;
}

/** A cluster instead of a node: these suites say the same of both (test/cluster/same-api.test.ts). */
async function startCluster(node: TestNode, shards: number, options: NodeOptions): Promise<RunningShard> {
  const cluster = await TestCluster.start({
    shards,
    data: node.data,
    adminToken: options.adminToken ?? null,
    flags: options.flags ?? [],
    now: () => node.now(),
    onFatal: (reason) => {
      node.fatal = reason;
    },
  });
  const { url, operatorUrl } = cluster.routers[0] as RunningRouter;
  return { url, operatorUrl, stop: () => cluster.halt() };
}

/** A node in this process on a free port, with its data in a temporary folder, under a clock of the test. */
export class TestNode implements AsyncDisposable {
  /** ms added to the wall clock */
  skew = 0;
  readonly data: string;
  readonly #own: boolean;
  #shard: RunningShard | null = null;
  /** what made the node say it must not go on */
  fatal: string | null = null;

  constructor(options: NodeOptions) {
    this.#own = options.data === undefined;
    this.data = options.data ?? mkdtempSync(join(tmpdir(), 'enc-api-'));
  }

  static async start(options: NodeOptions = {}): Promise<TestNode> {
    const node = new TestNode(options);
    const shards = Number(process.env['ENC_TEST_SHARDS'] ?? 0);
    if (shards > 0) {
      node.#shard = await startCluster(node, shards, options);
      return node;
    }
    const read = readEnv({}, ['--data', node.data, '--port', '0', '--crypto-workers', '1', ...(options.flags ?? [])]);
    if (read.kind !== 'settings') throw new Error('no settings');
    const hooks = {
      logger: pino({ level: 'silent' }),
      version: '0.0.0-test',
      now: () => node.now(),
      onFatal: (reason: string) => {
        node.fatal = reason;
      },
    };
    node.#shard = await startShard(makeConfig(read.raw), options.adminToken ?? null, hooks, options.overrides);
    return node;
  }

  now(): number {
    return Date.now() + this.skew;
  }

  get url(): string {
    return (this.#shard as RunningShard).url;
  }

  get operatorUrl(): string {
    return (this.#shard as RunningShard).operatorUrl;
  }

  /** the admin token that the node made up */
  get madeUpToken(): string {
    return readFileSync(join(this.data, 'keys', 'admin-token'), 'utf8').trim();
  }

  ask(request: RawRequest): Promise<RawAnswer> {
    return exchange(this.url, request);
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    return this.ask({ path, headers });
  }

  /** `body`: bytes or text as they are, anything else as JSON. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return this.ask({ method: 'POST', path, body: bytes, headers: { 'content-type': 'application/json', ...headers } });
  }

  /** Stops it and leaves the data where they are. */
  async halt(): Promise<void> {
    await this.#shard?.stop();
    this.#shard = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt();
    if (this.#own) rmSync(this.data, { recursive: true, force: true });
  }
}
