import { TEMPLATES } from '../../cli/templates.ts';
import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import type { Key } from '../../client/keys.ts';
import type { Secp } from '../../client/secp.ts';

/** What a client may take for one commit, its retries included, ms. */
const LIFETIME_MS = 30_000;

/** Ids of acknowledged events by seq. */
type Acknowledged = Map<number, string>;

/**
 * Clients that retry, as the SDK does: each has some enclaves, which it commits to in turn, one at a time, through one
 * router. What was acknowledged is remembered; a commit that fails after all its retries is an error.
 */
export class Load {
  readonly enclaves: readonly Enclave[];
  readonly acknowledged = new Map<string, Acknowledged>();
  readonly errors: string[] = [];
  /** times of commits, ms, retries included */
  times: number[] = [];
  #commits = 0;
  #retries = 0;
  #stopping = false;
  #done: Promise<unknown> = Promise.resolve();
  readonly #lanes: readonly (readonly Enclave[])[];

  private constructor(lanes: readonly (readonly Enclave[])[], counted: { onRetry: () => void }) {
    this.#lanes = lanes;
    this.enclaves = lanes.flat();
    for (const { id } of this.enclaves) this.acknowledged.set(id, new Map());
    counted.onRetry = () => this.#retries++;
  }

  /** Founds `each` enclaves for every client; client i talks to router i modulo their number. */
  static async found(urls: readonly string[], key: Key, secp: Secp, clients: number, each: number): Promise<Load> {
    const counted = { onRetry: (): void => {} };
    const personal = (TEMPLATES['personal'] as (owner: string) => Record<string, unknown>)(key.id);
    // No bundle closes by time: an enclave that is awake for that would count as opened.
    const manifest = { ...personal, bundle: { size: 16, timeout: 600_000 } };
    const lanes = Array.from({ length: clients }, async (_, i) => {
      const client = new EncClient(urls[i % urls.length] as string, { secp, onRetry: () => counted.onRetry() });
      const own: Enclave[] = [];
      for (let k = 0; k < each; k++) own.push((await client.create(key, manifest)).enclave);
      return own;
    });
    return new Load(await Promise.all(lanes), counted);
  }

  get commits(): number {
    return this.#commits;
  }

  /** attempts that were repeated */
  get retries(): number {
    return this.#retries;
  }

  start(): void {
    this.#done = Promise.all(this.#lanes.map((lane) => this.#run(lane)));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** Acknowledged events that are not where they were acknowledged, pulled by a reader of everything. */
  async lost(): Promise<string[]> {
    const lost: string[] = [];
    for (const enclave of this.enclaves) {
      const there = new Map<number, string>();
      for await (const event of enclave.pull({ complete: true })) there.set(event.seq, event.id);
      for (const [seq, id] of this.acknowledged.get(enclave.id) as Acknowledged)
        if (there.get(seq) !== id) lost.push(`${enclave.id} ${seq}: ${id}, now ${there.get(seq)}`);
    }
    return lost;
  }

  async #run(lane: readonly Enclave[]): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const enclave = lane[n % lane.length] as Enclave;
      const begun = performance.now();
      try {
        const { seq, id } = await enclave.commit('note', { n }, { exp: Date.now() + LIFETIME_MS });
        const known = this.acknowledged.get(enclave.id) as Acknowledged;
        if (known.has(seq)) this.errors.push(`${enclave.id}: event ${seq} was acknowledged twice`);
        known.set(seq, id);
        this.#commits++;
      } catch (error) {
        this.errors.push(String(error));
      }
      this.times.push(performance.now() - begun);
    }
  }
}
