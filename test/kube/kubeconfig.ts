import { type CommandOptions, command } from './command.ts';
import { imageValues, redisValues } from './image-values.ts';
import type { Found, Place } from './place.ts';

const ASK = { deadline: 20_000 };

/** The cluster of KUBECONFIG, with the kubectl and helm of PATH, and images that its nodes can pull. */
export class Kubeconfig implements Place {
  readonly name = 'the cluster of KUBECONFIG';
  /** Whoever runs this reaches the nodes. */
  readonly exposing = ['--set', 'router.service.type=NodePort'];
  readonly #image: string;
  readonly #redis: string | undefined;
  readonly #url: string | undefined;

  private constructor(image: string, redis: string | undefined, url: string | undefined) {
    this.#image = image;
    this.#redis = redis;
    this.#url = url;
  }

  static async find(env: NodeJS.ProcessEnv, image: string): Promise<Found> {
    if (!env['KUBECONFIG']) return { skipped: 'ENC_KUBE_IMAGE is set and KUBECONFIG is not' };
    const place = new Kubeconfig(image, env['ENC_KUBE_REDIS_IMAGE'], env['ENC_KUBE_URL']);
    try {
      await place.helm(['version'], ASK);
      await place.kubectl(['get', 'nodes'], ASK);
    } catch (error) {
      return { skipped: `no cluster answers: ${error instanceof Error ? error.message : String(error)}` };
    }
    return { place };
  }

  kubectl(args: readonly string[], options: CommandOptions): Promise<string> {
    return command(['kubectl', ...args], options);
  }

  helm(args: readonly string[], options: CommandOptions): Promise<string> {
    return command(['helm', ...args], options);
  }

  inside(argv: readonly string[]): readonly string[] {
    return argv;
  }

  async images(): Promise<readonly string[]> {
    const redis = this.#redis === undefined ? [] : redisValues(this.#redis);
    return [...imageValues('image', this.#image), ...redis];
  }

  async url(namespace: string, service: string): Promise<string> {
    if (this.#url) return this.#url;
    const host = await this.kubectl(
      ['get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'],
      ASK,
    );
    const port = await this.kubectl(
      ['-n', namespace, 'get', 'service', service, '-o', 'jsonpath={.spec.ports[0].nodePort}'],
      ASK,
    );
    return `http://${host}:${port}`;
  }

  async reclaim(): Promise<void> {
    // its provisioner does
  }

  async close(): Promise<void> {
    // it was there before
  }
}
