import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../parts/wait-for.ts';

const SCRIPTS = fileURLToPath(new URL('../../helm/enc-node/scripts/redis', import.meta.url));
const PASSWORD = 'a "password" of tests';
const START_MS = 30_000;

/** What INFO says of a server, by name. */
type Info = ReadonlyMap<string, string>;

/**
 * A Redis of the chart (primary, replicas, Sentinels, wardens) as its pods run it, each "pod" on a loopback address of its
 * own, with its own volume: the chart's scripts and real servers.
 */
export class RedisPods {
  readonly hosts: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'enc-pods-'));
  readonly #running = new Map<string, ChildProcess>();

  constructor(count: number) {
    // Other runs on this machine take other addresses.
    const [a, b] = [1 + Math.floor(Math.random() * 250), Math.floor(Math.random() * 250)];
    this.hosts = Array.from({ length: count }, (_, i) => `127.${a}.${b}.${i + 1}`);
    const scripts = join(this.#folder, 'scripts');
    cpSync(SCRIPTS, scripts, { recursive: true });
    writeFileSync(join(scripts, 'extra.conf'), '');
    for (let pod = 0; pod < count; pod++) mkdirSync(join(this.#volume(pod), 'run'), { recursive: true });
    process.on('exit', () => this.killAll());
  }

  /** All containers of a pod, or of every pod. */
  start(pod?: number): void {
    for (const one of pod === undefined ? this.hosts.keys() : [pod])
      for (const script of ['start', 'sentinel', 'warden']) this.startContainer(one, script);
  }

  startContainer(pod: number, script: string): void {
    const log = join(this.#volume(pod), `${script}.log`);
    const child = spawn('sh', ['-c', 'exec sh "$0" >>"$1" 2>&1', join(this.#folder, 'scripts', `${script}.sh`), log], {
      env: this.#env(pod),
      detached: true,
      stdio: 'ignore',
    });
    this.#running.set(`${script} ${pod}`, child);
  }

  /** kill -9 of one container, or of all of a pod. Resolves when they are gone. */
  async kill(pod: number, ...scripts: string[]): Promise<void> {
    for (const script of scripts.length > 0 ? scripts : ['start', 'sentinel', 'warden']) {
      const child = this.#running.get(`${script} ${pod}`);
      this.#running.delete(`${script} ${pod}`);
      if (!child || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      end(child);
      await gone;
    }
  }

  killAll(): void {
    for (const child of this.#running.values()) end(child);
  }

  async remove(): Promise<void> {
    for (const pod of this.hosts.keys()) await this.kill(pod);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The pod's Redis has lost its disk, and its Sentinel with it. */
  wipe(pod: number): void {
    for (const name of ['redis', 'sentinel', 'primary'])
      rmSync(join(this.#volume(pod), name), { recursive: true, force: true });
  }

  /** Runs a script in a pod, as an exec probe or a hook does: its exit code. */
  run(pod: number, script: string): number | null {
    return spawnSync('sh', [join(this.#folder, 'scripts', `${script}.sh`)], { env: this.#env(pod) }).status;
  }

  said(pod: number, script = 'start'): string {
    return readFileSync(join(this.#volume(pod), `${script}.log`), 'utf8');
  }

  call(pod: number, ...command: string[]): string {
    const args = ['1', 'redis-cli', '-h', this.hosts[pod] as string, ...command];
    return spawnSync('timeout', args, { env: this.#env(pod), encoding: 'utf8' }).stdout.trim();
  }

  info(pod: number): Info {
    const lines = this.call(pod, 'INFO').split(/\r?\n/);
    return new Map(lines.map((line) => [line.split(':', 1)[0] as string, line.slice(line.indexOf(':') + 1)]));
  }

  /** Pods whose Redis answers as a primary. */
  primaries(): number[] {
    return [...this.hosts.keys()].filter((pod) => this.info(pod).get('role') === 'master');
  }

  /** Waits until there is one primary, and every other server is a replica of it that is ready. Its pod. */
  async whole(): Promise<number> {
    const { primary } = await waitFor('one primary and all replicas in step', START_MS, () => {
      // They would look only every 10 s.
      for (const pod of this.hosts.keys()) this.call(pod, '-p', '26379', 'SENTINEL', 'DEBUG', 'info-period', '500');
      const [primary, ...more] = this.primaries();
      if (primary === undefined || more.length > 0) return null;
      const whole = [...this.hosts.keys()].every(
        (pod) =>
          this.run(pod, 'ready') === 0 &&
          (pod === primary || this.info(pod).get('master_host') === this.hosts[primary]),
      );
      // An object, because 0 would read as "not yet".
      return whole ? { primary } : null;
    });
    return primary;
  }

  #volume(pod: number): string {
    return join(this.#folder, `pod-${pod}`);
  }

  #env(pod: number): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      DATA: this.#volume(pod),
      RUN: join(this.#volume(pod), 'run'),
      STORE: 'log',
      ME: this.hosts[pod],
      LISTEN: this.hosts[pod],
      SERVERS: this.hosts.join(' '),
      SERVER: 'redis-server',
      CLI: 'redis-cli',
      REDISCLI_AUTH: PASSWORD,
      DOWN_AFTER_MS: '1000',
      FAILOVER_TIMEOUT_MS: '3000',
      STEP: '2',
    };
  }
}

function end(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
