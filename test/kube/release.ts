import { fileURLToPath } from 'node:url';
import { type CommandOptions, until } from './command.ts';
import type { Place } from './place.ts';

const CHART = fileURLToPath(new URL('../../helm/enc-node', import.meta.url));
const NAME = 'enc-node';
/** Every change of the cluster is through by then, or does not come. */
const CHANGE_MS = 300_000;
const ASK_MS = 30_000;

/** The chart, installed in a namespace of its own. */
export class Release {
  readonly namespace: string;
  readonly #place: Place;
  readonly #signal: AbortSignal;
  #values: readonly string[] = [];

  constructor(place: Place, namespace: string, signal: AbortSignal) {
    this.#place = place;
    this.namespace = namespace;
    this.#signal = signal;
  }

  /** `values`: arguments of helm. Resolves when every part is ready. */
  async install(values: readonly string[]): Promise<void> {
    this.#values = values;
    await this.kubectl(['create', 'namespace', this.namespace]);
    await this.#helm(['install', NAME, CHART, ...values, '--wait', '--timeout', `${CHANGE_MS / 1000}s`]);
  }

  /** Changes values on top of those that it was installed with, and waits as `helm install` did. */
  async upgrade(changes: readonly string[]): Promise<void> {
    const wait = ['--wait', '--timeout', `${CHANGE_MS / 1000}s`];
    await this.#helm(['upgrade', NAME, CHART, ...this.#values, ...changes, ...wait]);
  }

  async rollback(): Promise<void> {
    await this.#helm(['rollback', NAME, '--wait', '--timeout', `${CHANGE_MS / 1000}s`]);
  }

  async test(): Promise<void> {
    await this.#helm(['test', NAME, '--logs', '--timeout', '120s']);
  }

  /** Resolves when nothing of it runs any more. */
  async uninstall(): Promise<void> {
    await this.#helm(['uninstall', NAME, '--wait', '--timeout', '120s']);
    await this.#until('the end of every pod', async () => {
      const left = [...(await this.names('statefulset,deployment,service,job')), ...(await this.names('pod'))];
      // The pod of helm test is a hook's, which helm leaves to be looked at.
      return left.every((name) => name.endsWith('-test')) || undefined;
    });
  }

  /** Starts every pod of the workloads anew, at the same time, each workload in its own order. */
  async restart(...parts: readonly Part[]): Promise<void> {
    await this.kubectl(['rollout', 'restart', ...parts.map(workload)]);
    await this.settled(...parts);
  }

  /** Resolves when the workloads are what they should be, with every pod ready. */
  async settled(...parts: readonly Part[]): Promise<void> {
    for (const part of parts)
      await this.kubectl(['rollout', 'status', workload(part), `--timeout=${CHANGE_MS / 1000}s`], CHANGE_MS + ASK_MS);
  }

  /** Kills a program in a pod, as `kill -9` does. `name`: part of its command line. */
  async kill(part: Part, ordinal: number, name: string): Promise<void> {
    const find = `for p in /proc/[0-9]*; do case $(tr "\\0" " " <$p/cmdline) in node*${name}*) kill -9 \${p#/proc/};; esac; done`;
    const restarts = await this.restarts(part, ordinal);
    await this.kubectl(['exec', pod(part, ordinal), '--', 'sh', '-c', `${find} 2>/dev/null; true`]);
    await this.restartedSince(part, ordinal, restarts);
    await this.settled(part);
  }

  /** Deletes a pod; resolves when the one that follows it is ready. */
  async delete(part: Part, ordinal: number): Promise<void> {
    await this.kubectl(['delete', 'pod', pod(part, ordinal), '--timeout=120s'], CHANGE_MS);
    await this.settled(part);
  }

  /** Ordinal of the pod that a Redis store's writes go to. */
  async primary(store: Store, servers: number): Promise<number> {
    return this.#until(`a primary of ${store}`, async () => {
      for (let ordinal = 0; ordinal < servers; ordinal++) {
        const info = await this.redis(store, ordinal, 'INFO replication').catch(() => '');
        if (/^role:master/m.test(info)) return ordinal;
      }
      return undefined;
    });
  }

  /** What a Redis server answers to a command. */
  redis(store: Store, ordinal: number, words: string): Promise<string> {
    const cli = ['exec', pod(store, ordinal), '-c', 'redis', '--', 'sh', '-c', `"$CLI" ${words}`];
    return this.kubectl(cli);
  }

  /** How often the containers of a pod have been started again. */
  async restarts(part: Part, ordinal: number): Promise<number> {
    const counts = ['get', 'pod', pod(part, ordinal), '-o', 'jsonpath={.status.containerStatuses[*].restartCount}'];
    return (await this.kubectl(counts)).split(' ').reduce((sum, count) => sum + Number(count), 0);
  }

  /** Resolves when that is more than it was. */
  async restartedSince(part: Part, ordinal: number, restarts: number): Promise<void> {
    await this.#until(`${pod(part, ordinal)} starts again`, async () =>
      (await this.restarts(part, ordinal)) > restarts ? true : undefined,
    );
  }

  url(): Promise<string> {
    return this.#place.url(this.namespace, `${NAME}-router`);
  }

  /** Names of objects of a kind that are there. */
  async names(kind: string): Promise<string[]> {
    const list = await this.kubectl(['get', kind, '-o', 'jsonpath={.items[*].metadata.name}']);
    return list.split(' ').filter(Boolean);
  }

  kubectl(args: readonly string[], deadline = ASK_MS): Promise<string> {
    return this.#place.kubectl(['-n', this.namespace, ...args], this.#options(deadline));
  }

  #helm(args: readonly string[]): Promise<string> {
    return this.#place.helm(['-n', this.namespace, ...args], this.#options(CHANGE_MS + ASK_MS));
  }

  #until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    return until(what, CHANGE_MS, ask, this.#signal);
  }

  #options(deadline: number): CommandOptions {
    return { deadline, signal: this.#signal };
  }
}

export type Store = 'redis-log' | 'redis-guard';
export type Part = 'router' | 'shard' | Store;

const workload = (part: Part): string => `${part === 'router' ? 'deployment' : 'statefulset'}/${NAME}-${part}`;
const pod = (part: Part, ordinal: number): string => `${NAME}-${part}-${ordinal}`;
