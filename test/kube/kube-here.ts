import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandOptions, command } from './command.ts';
import { contextHash } from './context-hash.ts';
import { imageValues, redisValues } from './image-values.ts';
import type { Found, Place } from './place.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODE = 'localhost/node:24';
const IMAGE = 'localhost/enc-node:test';
const REDIS = 'localhost/enc-redis:test';
const ASK = { deadline: 30_000 };
const UP_MS = 120_000;
const ANSWER_MS = 10_000;
const BUILD_MS = 600_000;

/** The one-node cluster of ../shared/kube, in a network namespace of this machine. Its images are built here. */
export class KubeHere implements Place {
  readonly name: string;
  readonly exposing: readonly string[] = [];
  readonly #tool: string;
  readonly #home: string;
  readonly #started: boolean;

  private constructor(tool: string, home: string, started: boolean) {
    this.name = `the cluster of ${tool}`;
    this.#tool = tool;
    this.#home = home;
    this.#started = started;
  }

  static async find(env: NodeJS.ProcessEnv, quick: boolean, signal: AbortSignal): Promise<Found> {
    const tool = join(resolve(ROOT, env['ENC_KUBE'] || '../shared/kube'), 'kube');
    const home = env['KUBE_HOME'] || '/var/cache/kube-here';
    if (!existsSync(tool)) return { skipped: `there is no ${tool} (ENC_KUBE), and no ENC_KUBE_IMAGE for KUBECONFIG` };
    if (process.getuid?.() !== 0) return { skipped: `${tool} needs root` };
    if (!existsSync(join(home, 'bin/kubeall')) || !existsSync(join(home, 'bin/helm')))
      return {
        skipped: `Kubernetes is not built yet on this machine: \`${tool} build\` does it once, in about 12 minutes`,
      };
    if (quick && !existsSync(join(home, 'ctr/base.done')))
      return { skipped: `the base image is not built yet on this machine: \`${tool} base\` does it once` };
    const running = await command([tool, 'kubectl', 'get', '--raw', '/readyz'], { deadline: ANSWER_MS, signal }).then(
      () => true,
      () => false,
    );
    if (!running) {
      // What ended without being taken down still looks as if it were up.
      if (existsSync(join(home, 'run/apiserver.pid'))) await command([tool, 'down'], { deadline: UP_MS, signal });
      await command([tool, 'up'], { deadline: UP_MS, signal });
    }
    return { place: new KubeHere(tool, home, !running) };
  }

  kubectl(args: readonly string[], options: CommandOptions): Promise<string> {
    return command([this.#tool, 'kubectl', ...args], options);
  }

  helm(args: readonly string[], options: CommandOptions): Promise<string> {
    return command([this.#tool, 'helm', ...args], options);
  }

  inside(argv: readonly string[]): readonly string[] {
    return [this.#tool, 'exec', ...argv];
  }

  async images(signal: AbortSignal): Promise<readonly string[]> {
    await command([this.#tool, 'base'], { deadline: BUILD_MS, signal });
    const ca = process.env['NODE_EXTRA_CA_CERTS'];
    const secrets = ca ? ['--secret', `id=ca,src=${ca}`] : [];
    const redis = fileURLToPath(new URL('redis.Dockerfile', import.meta.url));
    await this.#image(REDIS, redis, fileURLToPath(new URL('.', import.meta.url)), [], signal);
    await this.#image(IMAGE, join(ROOT, 'Dockerfile'), ROOT, [...secrets, '--build-arg', 'REVISION=test'], signal);
    return [...imageValues('image', IMAGE), ...redisValues(REDIS)];
  }

  async url(namespace: string, service: string): Promise<string> {
    const address = ['get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}'];
    return `http://${await this.kubectl(['-n', namespace, ...address], ASK)}`;
  }

  /** Its volumes are folders of this machine, kept when their claims go: they are emptied and given back. */
  async reclaim(namespace: string): Promise<void> {
    const list = JSON.parse(await this.kubectl(['get', 'pv', '-o', 'json'], ASK)) as { items: Volume[] };
    for (const { metadata, spec } of list.items) {
      const folder = spec.local?.path;
      if (spec.claimRef?.namespace !== namespace || !folder?.startsWith(join(this.#home, 'run/vol/'))) continue;
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
      await this.kubectl(['patch', 'pv', metadata.name, '-p', '{"spec":{"claimRef":null}}'], ASK);
    }
  }

  async close(): Promise<void> {
    if (this.#started) await command([this.#tool, 'down'], { deadline: UP_MS });
  }

  /** Builds an image and hands it to the node, if what it is made of is not what the node has had last. */
  async #image(
    image: string,
    dockerfile: string,
    folder: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const hash = contextHash(folder, dockerfile);
    const stamp = join(this.#home, `${image.replaceAll(/[^\w.-]/g, '_')}.sha256`);
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
    const build = [
      'image',
      '--layers',
      '-t',
      image,
      '--build-arg',
      `NODE_IMAGE=${NODE}`,
      ...args,
      '-f',
      dockerfile,
      folder,
    ];
    await command([this.#tool, ...build], { deadline: BUILD_MS, signal });
    await command([this.#tool, 'load', image], { deadline: BUILD_MS, signal });
    writeFileSync(stamp, hash);
  }
}

interface Volume {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly claimRef?: { readonly namespace: string };
    readonly local?: { readonly path: string };
  };
}
