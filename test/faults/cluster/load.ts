import { setTimeout as sleep } from 'node:timers/promises';
import { unhex } from '../../../protocol/hex.ts';
import { shardOf } from '../../../protocol/jump.ts';
import { waitFor } from '../../parts/wait-for.ts';
import { BUNDLES } from '../crash.ts';
import { isReceipt } from '../history.ts';
import type { Random } from '../random.ts';
import { Address, type Enclave, Stuck, Workload } from '../workload.ts';
import type { RouterPart } from './fault-cluster.ts';

/** A client pauses between two requests, ms: a history must stay short enough to be judged. */
const PAUSE_MS = [8, 40] as const;
/** Whatever has happened, an enclave of a cluster in which somebody can serve it is served again within this time, ms. */
const SERVED_AGAIN_MS = 25_000;

/** Clients know all routers and ask them in turn: one that is gone costs them a retry. */
class AnyRouter extends Address {
  readonly #routers: readonly RouterPart[];
  #turn = 0;

  constructor(routers: readonly RouterPart[]) {
    super();
    this.#routers = routers;
  }

  override get(): Promise<string> {
    const { door } = this.#routers[this.#turn++ % this.#routers.length] as RouterPart;
    return Promise.resolve(`http://127.0.0.1:${door.port}`);
  }
}

/** Clients of a cluster that go on until they are told to stop. */
export class Load {
  readonly workload: Workload;
  readonly #random: Random;
  #clients: Promise<unknown> | null = null;
  #stopping = false;
  #held: Promise<void> | null = null;
  #under = 0;
  #failed: unknown = null;

  constructor(routers: readonly RouterPart[], random: Random) {
    this.#random = random;
    this.workload = new Workload(new AnyRouter(routers), random);
  }

  get enclaves(): readonly Enclave[] {
    return this.workload.enclaves;
  }

  /** New enclaves, so that each of `shards` shards is the first choice of `each` of them at least. */
  async found(shards: number, each: number, bundles: readonly Enclave['bundle'][] = BUNDLES): Promise<void> {
    const enough = (shard: number): boolean => this.firstOf(shard, shards).length >= each;
    for (let i = 0; !Array.from({ length: shards }, (_, shard) => shard).every(enough); i++)
      await this.workload.found(bundles[i % bundles.length] as Enclave['bundle']);
  }

  /** Enclaves whose first choice is this one of so many shards. */
  firstOf(shard: number, shards: number): Enclave[] {
    return this.enclaves.filter(({ id }) => shardOf(unhex(id), shards) === shard);
  }

  start(clients: number): void {
    const all = Array.from({ length: clients }, async () => {
      while (!this.#stopping) {
        await this.#held;
        this.#under++;
        await this.workload.client(1);
        this.#under--;
        await sleep(this.#random.int(...PAUSE_MS));
      }
    });
    this.#clients = Promise.all(all).catch((error: unknown) => {
      this.#failed = error;
    });
  }

  /** Runs `work` while no client asks for anything. */
  async quietly(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    try {
      await waitFor('the clients to be quiet', SERVED_AGAIN_MS, () => this.#under === 0);
      await work();
    } finally {
      this.#held = null;
      resolve();
    }
  }

  /** Resolves when `count` receipts more have come in. Rejects when that takes too long. */
  async receipts(count: number): Promise<void> {
    await this.#inTime(this.workload.receipts(count), `${count} receipts`);
  }

  /** Resolves when every enclave has taken one more commit. Rejects when that takes too long. */
  async served(enclaves = this.enclaves): Promise<void> {
    const asked = enclaves.map((enclave) => this.workload.ask([this.workload.note(enclave)]));
    await this.#inTime(Promise.all(asked), 'a commit of every enclave');
  }

  /** Acknowledged commits that were accepted after a time (Unix ms), their hashes; older ones may be acknowledged late. */
  acknowledgedSince(time: number): string[] {
    const made = ({ answer }: { answer: string }): boolean =>
      isReceipt(answer) && Number(/"timestamp":(\d+)/.exec(answer)?.[1]) > time;
    return this.workload.history.asked.filter(({ attempts }) => attempts.some(made)).map(({ commit }) => commit.hash);
  }

  /** Resolves when everything that was asked for has its answer. Throws what a client has thrown. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#clients;
    if (this.#failed) throw this.#failed;
  }

  async #inTime(work: Promise<unknown>, what: string): Promise<void> {
    work.catch(() => {});
    const late = new AbortController();
    const timer = sleep(SERVED_AGAIN_MS, 'late', { signal: late.signal }).catch(() => 'ended');
    const result = await Promise.race([work, timer, ...(this.#clients ? [this.#broken()] : [])]);
    late.abort();
    if (this.#failed) throw this.#failed;
    if (result === 'late') throw new Stuck(`${what}: not within ${SERVED_AGAIN_MS} ms`);
  }

  /** Resolves when a client has given up. */
  async #broken(): Promise<void> {
    await this.#clients;
    if (!this.#failed) await new Promise(() => {});
  }
}
