import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, type Part } from './child.ts';
import { freePort } from './free-port.ts';
import { NODE_ARGS } from './node-args.ts';
import { redisPart } from './redis-part.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface LocalClusterOptions {
  readonly shards: number;
  /** default 1; further ones listen on the ports that follow */
  readonly routers?: number;
  readonly host: string;
  readonly port: number;
  readonly data: string;
  /** Redis of the log and the topology (several with commas between: the first has the topology); null: started here */
  readonly redis: string | null;
  /** how many Redis servers for the log are started, default 1 */
  readonly logs?: number;
  /** Redis of the release guard; null: one is started */
  readonly guard: string | null;
  /** handed on to every part */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** for the Node that runs routers and shards, such as --cpu-prof */
  readonly nodeArgs?: readonly string[];
  /** settings of one shard alone */
  readonly shardEnv?: (shard: number) => Readonly<Record<string, string>>;
  /** false: a part that dies stays dead until `restart` (default true) */
  readonly respawn?: boolean;
}

/** Settings of one process that the parts must not inherit. */
const OWN = [
  'ENC_PORT',
  'ENC_OPS_PORT',
  'ENC_DATA',
  'ENC_LOG_DIR',
  'ENC_GUARD_DIR',
  'ENC_ARCHIVE_DIR',
  'ENC_SHARD',
  'ENC_SHARDS',
];

/** A whole cluster on this machine, each part a process of its own that is started again when it dies. */
export class LocalCluster {
  readonly #o: LocalClusterOptions;
  readonly #say: (line: string) => void;
  /** in the order in which they are started; they are ended the other way round */
  readonly #parts: Child[] = [];
  readonly #urls = new Map<string, string>();
  readonly #operators = new Map<string, string>();
  #common: Part['env'] = {};

  private constructor(options: LocalClusterOptions, say: (line: string) => void) {
    this.#o = options;
    this.#say = say;
  }

  /** Resolves to the router's address when all of it is ready; else everything is ended again. */
  static async start(
    options: LocalClusterOptions,
    say: (line: string) => void,
  ): Promise<{ cluster: LocalCluster; url: string }> {
    const cluster = new LocalCluster(options, say);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return { cluster, url: cluster.url() };
  }

  /** Where a router listens. */
  url(router = 0): string {
    return this.#urls.get(routerName(router)) ?? '';
  }

  /** Where the operator port of a shard or a router is, '' if it has none. */
  operatorUrl(name: string): string {
    return this.#operators.get(name) ?? '';
  }

  /** Starts one more shard; it gets enclaves when the topology names it. */
  async startShard(shard: number): Promise<void> {
    const env = { ...shardEnv(this.#common, shard, resolve(this.#o.data)), ...this.#o.shardEnv?.(shard) };
    await this.#part(this.#node(`shard ${shard}`, 'shard/main.ts', /^shard \d+ on (\S+)$/m, env));
  }

  /** Ends a part in order, for good. */
  async stopPart(name: string): Promise<void> {
    const at = this.#parts.findIndex((part) => part.name === name);
    const [part] = at < 0 ? [] : this.#parts.splice(at, 1);
    await part?.stop();
  }

  /** Ends a part in order and starts it again, on the same ports. */
  async restartPart(name: string): Promise<void> {
    await this.#parts.find((part) => part.name === name)?.restart();
  }

  /** Process ids of the parts whose name matches. */
  pids(name: RegExp): number[] {
    return this.#parts.flatMap((part) => (name.test(part.name) && part.pid !== undefined ? [part.pid] : []));
  }

  /** Starts the parts again whose name matches and that have died (`respawn: false`). Resolves when they are ready. */
  async restart(name: RegExp): Promise<void> {
    await Promise.all(this.#parts.filter((part) => name.test(part.name)).map((part) => part.start()));
  }

  /** Routers first, then shards, then what they keep things in. */
  async stop(): Promise<void> {
    const kinds = [/^router/, /^shard/, /^redis/];
    for (const kind of kinds) {
      await Promise.all(this.#parts.filter((part) => kind.test(part.name)).map((part) => part.stop()));
    }
  }

  kill(): void {
    for (const part of this.#parts) part.kill();
  }

  async #start(): Promise<void> {
    const { shards, routers = 1 } = this.#o;
    const data = resolve(this.#o.data);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const secret = join(data, 'link-secret');
    if (!existsSync(secret)) writeFileSync(secret, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    const logs = this.#o.redis ?? (await this.#logs(data));
    const guard = this.#o.guard ?? (await this.#redis('redis-guard', data));
    this.#common = {
      ENC_LOG_LEVEL: 'warn',
      ...Object.fromEntries(Object.entries(this.#o.env).filter(([name]) => !OWN.includes(name))),
      ENC_LOG_REDIS: logs,
      ENC_GUARD_REDIS: guard,
      ENC_TOPOLOGY_URL: logs.split(/,(?=\w+:\/\/)/)[0],
      ENC_LINK_SECRET: secret,
      ENC_KEYS_DIR: join(data, 'keys'),
    };
    await Promise.all(Array.from({ length: shards }, (_, i) => this.startShard(i)));
    await Promise.all(Array.from({ length: routers }, (_, i) => this.#router(i, data)));
  }

  /** Ports are chosen here, so that a router that is started again is found where it was. */
  async #router(router: number, data: string): Promise<void> {
    const { host, port, shards } = this.#o;
    const own = port === 0 ? await freePort() : port + 2 * router;
    const env = {
      ...this.#common,
      ENC_SHARDS: String(shards),
      ENC_DATA: data,
      ENC_HOST: host,
      ENC_PORT: String(own),
      ENC_OPS_PORT: String(port === 0 ? await freePort() : own + 1),
    };
    await this.#part(this.#node(routerName(router), 'router/main.ts', /^router on (\S+)$/m, env));
  }

  async #logs(data: string): Promise<string> {
    const names = Array.from({ length: this.#o.logs ?? 1 }, (_, i) => (i === 0 ? 'redis-log' : `redis-log-${i}`));
    return (await Promise.all(names.map((name) => this.#redis(name, data)))).join(',');
  }

  async #redis(name: string, data: string): Promise<string> {
    const port = await freePort();
    await this.#part(redisPart(name, join(data, name), port, this.#o.env));
    return `redis://127.0.0.1:${port}`;
  }

  #node(name: string, entry: string, ready: RegExp, env: Part['env']): Part {
    const describe = (output: string): string => {
      const url = ready.exec(output)?.[1] ?? '';
      this.#urls.set(name, url);
      const operator = /^operator port on (\S+)$/m.exec(output)?.[1];
      if (operator) this.#operators.set(name, operator);
      return operator ? `${url}, operator port ${operator}` : url;
    };
    const args = [...(NODE_ARGS[entry] ?? []), ...(this.#o.nodeArgs ?? []), join(ROOT, entry)];
    return { name, command: process.execPath, args, env, ready, describe };
  }

  async #part(part: Part): Promise<void> {
    const child = new Child(part, this.#say, this.#o.respawn ?? true);
    this.#parts.push(child);
    await child.start();
  }
}

const routerName = (router: number): string => (router === 0 ? 'router' : `router ${router}`);

function shardEnv(common: Part['env'], shard: number, data: string): Part['env'] {
  return { ...common, ENC_SHARD: String(shard), ENC_DATA: join(data, `shard-${shard}`), ENC_OPS_PORT: '0' };
}
