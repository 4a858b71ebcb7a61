/**
 * Real Redis servers for tests, on loopback, each in a folder of its own, with the settings that the node asks for.
 * Where a binary is missing, `missing` says so: pass it as a test's `skip`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import type { Certificate } from './certificates.ts';
import { waitFor } from './wait-for.ts';

const START_MS = 10_000;
const SYNC_MS = 20_000;

/** false when Redis is here, else the sentence for `skip`. */
export const missing = inPath('redis-server') ? false : 'redis-server is not installed (Debian: redis-server)';
export const sentinelMissing =
  missing || (inPath('redis-sentinel') ? false : 'redis-sentinel is not installed (Debian: redis-sentinel)');

const SAFE = {
  bind: '127.0.0.1',
  save: '""',
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  'maxmemory-policy': 'noeviction',
  'repl-diskless-sync-delay': '0',
  'repl-timeout': '60',
  loglevel: 'notice',
};

export interface ServerOptions {
  /** settings of redis.conf, on top of safe ones */
  readonly config?: Readonly<Record<string, string>>;
  readonly replicaOf?: RedisServer;
  /** another binary, such as valkey-server's path */
  readonly binary?: string;
  /** what its default user, its replicas and whoever else must show */
  readonly password?: string;
  /** everything over TLS, with certificates on both sides */
  readonly tls?: Certificate;
}

const running = new Set<ChildProcess>();
// Whatever ends the tests, no server stays behind: the kernel ends them too where it can be asked to.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
const WITH_PARENT = inPath('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];

/** One server: its process may die and start again, its folder and port stay. */
export class RedisServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly folder: string;
  readonly #binary: string;
  readonly #sentinel: boolean;
  readonly #signIn: Pick<RedisOptions, 'password' | 'tls'>;
  #child: ChildProcess | null = null;
  #client: Redis | null = null;
  #frozen = false;

  constructor(port: number, binary: string, sentinel = false, { password, tls }: ServerOptions = {}) {
    this.port = port;
    this.#signIn = { ...(password ? { password } : {}), ...(tls ? { tls: contents(tls) } : {}) };
    this.folder = mkdtempSync(join(tmpdir(), 'enc-redis-'));
    this.#binary = binary;
    this.#sentinel = sentinel;
  }

  get address(): { host: string; port: number } {
    return { host: this.host, port: this.port };
  }

  /** of the process that runs now */
  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  write(config: readonly string[]): void {
    writeFileSync(join(this.folder, 'redis.conf'), `${config.join('\n')}\n`);
  }

  /** Starts the process and waits until it answers. */
  async start(): Promise<this> {
    const [command, ...args] = [
      ...WITH_PARENT,
      this.#binary,
      join(this.folder, 'redis.conf'),
      ...(this.#sentinel ? ['--sentinel'] : []),
    ] as [string, ...string[]];
    const child = spawn(command, args, { cwd: this.folder, stdio: 'ignore' });
    running.add(child);
    this.#child = child;
    this.#frozen = false;
    child.once('exit', () => {
      running.delete(child);
      if (this.#child === child) this.#child = null;
    });
    child.once('error', () => running.delete(child));
    await waitFor(`redis on port ${this.port}`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`redis ended: ${this.log()}`);
      return (await this.call('PING')) === 'PONG';
    });
    return this;
  }

  /** One command to the server, whatever its role. Rejects when it does not answer within 2 s. */
  async call(command: string, ...args: (string | Buffer | number)[]): Promise<unknown> {
    if (this.#client === null) {
      this.#client = new Redis({
        port: this.port,
        host: this.host,
        ...this.#signIn,
        lazyConnect: true,
        enableReadyCheck: false,
        enableOfflineQueue: false,
        retryStrategy: () => null,
        commandTimeout: 2000,
        connectTimeout: 2000,
        disableClientInfo: true,
        protocol: 2,
      });
      const client = this.#client;
      client.on('error', () => {});
      client.on('end', () => {
        if (this.#client === client) this.#client = null;
      });
      await client.connect();
    }
    return await this.#client.call(command, ...args);
  }

  async info(field: string): Promise<string | null> {
    const text = String(await this.call('INFO'));
    return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? null;
  }

  /** Stops it in mid-instruction: it keeps its connections and answers nothing. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
    this.#frozen = true;
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
    this.#frozen = false;
  }

  /** It runs, and has not been frozen. */
  get answers(): boolean {
    return this.#child !== null && !this.#frozen;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#client?.disconnect();
    this.#client = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** What an operator does by hand: this server is a primary from now on, with whatever it has. */
  async promote(): Promise<void> {
    await this.call('REPLICAOF', 'NO', 'ONE');
  }

  async follow(primary: RedisServer): Promise<void> {
    await this.call('REPLICAOF', primary.host, primary.port);
  }

  log(): string {
    const file = join(this.folder, 'redis.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function startRedis(options: ServerOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), options.binary ?? 'redis-server', false, options);
  const { password, tls } = options;
  const settings: Record<string, string> = { ...SAFE, ...options.config };
  if (password) Object.assign(settings, { requirepass: password, masterauth: password });
  if (options.replicaOf) settings['replicaof'] = `127.0.0.1 ${options.replicaOf.port}`;
  server.write([
    ...listening(server.port, tls),
    `dir ${server.folder}`,
    `logfile ${join(server.folder, 'redis.log')}`,
    ...Object.entries(settings).map(([name, value]) => `${name} ${value}`),
  ]);
  return await server.start();
}

export interface Replicated {
  readonly primary: RedisServer;
  readonly replicas: readonly RedisServer[];
  remove(): Promise<void>;
}

/** A primary and its replicas, in step when it resolves. */
export async function startReplicated(replicas: number, options: ServerOptions = {}): Promise<Replicated> {
  const primary = await startRedis(options);
  const followers = await Promise.all(
    Array.from({ length: replicas }, () => startRedis({ ...options, replicaOf: primary })),
  );
  await inStep(primary, replicas);
  return {
    primary,
    replicas: followers,
    remove: async () => {
      await Promise.all([primary, ...followers].map((server) => server.remove()));
    },
  };
}

/** Waits until a primary has so many replicas in step. */
export async function inStep(primary: RedisServer, replicas: number): Promise<void> {
  await waitFor(`${replicas} replicas in step`, SYNC_MS, async () => {
    const text = String(await primary.call('INFO', 'replication'));
    return text.split('state=online').length - 1 === replicas;
  });
}

export const SENTINEL_NAME = 'enc';

export interface SentinelOptions extends Pick<ServerOptions, 'password' | 'tls'> {
  readonly downAfterMs?: number;
  /** of the servers that they watch */
  readonly serverPassword?: string;
}

/** Three Sentinels that watch a primary, agreed about its replicas when it resolves. */
export async function startSentinels(watched: Replicated, options: SentinelOptions = {}): Promise<RedisServer[]> {
  const { downAfterMs = 500, password, serverPassword, tls } = options;
  const sentinels = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const sentinel = new RedisServer(await freePort(), 'redis-sentinel', true, options);
      sentinel.write([
        ...listening(sentinel.port, tls),
        'bind 127.0.0.1',
        `dir ${sentinel.folder}`,
        `logfile ${join(sentinel.folder, 'redis.log')}`,
        `sentinel monitor ${SENTINEL_NAME} 127.0.0.1 ${watched.primary.port} 2`,
        `sentinel down-after-milliseconds ${SENTINEL_NAME} ${downAfterMs}`,
        `sentinel failover-timeout ${SENTINEL_NAME} 4000`,
        ...(serverPassword ? [`sentinel auth-pass ${SENTINEL_NAME} ${serverPassword}`] : []),
        ...(password ? [`requirepass ${password}`, `sentinel sentinel-pass ${password}`] : []),
      ]);
      return await sentinel.start();
    }),
  );
  for (const sentinel of sentinels)
    await waitFor('sentinels that know each other', SYNC_MS, async () => {
      const replicas = (await sentinel.call('SENTINEL', 'REPLICAS', SENTINEL_NAME)) as unknown[];
      const others = (await sentinel.call('SENTINEL', 'SENTINELS', SENTINEL_NAME)) as unknown[];
      return replicas.length === watched.replicas.length && others.length === 2;
    });
  return sentinels;
}

/** Which of the servers Sentinel names as the primary now. */
export async function namedPrimary(sentinels: readonly RedisServer[], servers: readonly RedisServer[]) {
  const address = (await sentinels[0]?.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', SENTINEL_NAME)) as string[];
  return servers.find((server) => server.port === Number(address[1])) ?? null;
}

function listening(port: number, tls?: Certificate): string[] {
  if (!tls) return [`port ${port}`];
  const files = [`tls-ca-cert-file ${tls.ca}`, `tls-cert-file ${tls.cert}`, `tls-key-file ${tls.key}`];
  return ['port 0', `tls-port ${port}`, 'tls-replication yes', 'tls-auth-clients yes', ...files];
}

const contents = ({ ca, cert, key }: Certificate): { ca: Buffer; cert: Buffer; key: Buffer } => ({
  ca: readFileSync(ca),
  cert: readFileSync(cert),
  key: readFileSync(key),
});

function inPath(binary: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, binary)));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
