import { freePort } from '../cluster/local/free-port.ts';
import { RedisTopology } from '../cluster/topology/redis-topology.ts';
import { BEAT_EVERY_MS } from '../cluster/topology/topology-store.ts';
import { shardOf } from '../protocol/jump.ts';
import { CutLink } from '../test/parts/cut-link.ts';
import { missing } from '../test/parts/redis.ts';
import { waitFor } from '../test/parts/wait-for.ts';
import { fillBig } from './big-enclave.ts';
import { ClusterHouse } from './cluster-house.ts';
import { type Author, Corpus } from './corpus.ts';
import { FirstAnswers } from './load/first-answers.ts';
import { type BenchOptions, scaled } from './options.ts';
import { type BenchResult, latencies } from './result.ts';

const SHARDS = 3;
/** The shard that fails: first choice of every enclave here. */
const VICTIM = 0;
const ENCLAVES = 1000;
const EVENTS = 1_000_000;
const BUNDLE = { size: 256, timeout: 5000 };
/** Enclaves go back to a shard that is healthy again, but not sooner than 10 s after they left. */
const BACK_MS = 60_000;
const CALM_WAVES = 3;

interface Fault {
  readonly name: string;
  readonly what: string;
  readonly mustMs: number;
  readonly strike: (scene: Scene) => void;
  readonly undo: (scene: Scene) => Promise<void>;
}

const FAULTS: readonly Fault[] = [
  {
    name: 'failover-kill',
    what: 'kill -9 of their shard, which is not started again',
    mustMs: 3000,
    strike: ({ house }) => void process.kill(house.shard(VICTIM), 'SIGKILL'),
    undo: ({ house }) => house.cluster.restart(new RegExp(`^shard ${VICTIM}$`)),
  },
  {
    name: 'failover-hang',
    what: 'SIGSTOP of their shard',
    mustMs: 5000,
    strike: ({ house }) => void process.kill(house.shard(VICTIM), 'SIGSTOP'),
    undo: async ({ house }) => void process.kill(house.shard(VICTIM), 'SIGCONT'),
  },
  {
    name: 'failover-cut',
    what: 'a cut of the link between router and shard, which goes on and renews its heartbeat',
    mustMs: 5000,
    strike: ({ link }) => link.cut(),
    undo: async ({ link }) => link.heal(),
  },
];

/**
 * Fail-over without respawn (ARCHITECTURE §6). All enclaves are active on one of three shards; it fails, and in that moment
 * a commit for each of them is sent, all at once. What counts is the time from the fault to each first receipt.
 */
export async function benchFailover(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`failover: left out, ${missing}`);
    return [];
  }
  const house = await ClusterHouse.open();
  const port = await freePort();
  const link = await CutLink.listen(port);
  try {
    const scene = await Scene.set(house, link, port, options);
    const results = [await scene.calm()];
    for (const fault of FAULTS) results.push(await scene.fail(fault));
    await scene.close();
    return results;
  } finally {
    await house.remove();
    await link.close();
  }
}

class Scene {
  readonly house: ClusterHouse;
  readonly link: CutLink;
  readonly #events: number;
  /** the large one first */
  readonly #enclaves: readonly string[];
  readonly #corpus: Corpus;
  readonly #author: Author;
  readonly #answers: FirstAnswers;
  readonly #topology: RedisTopology;
  #round = 0;

  private constructor(
    house: ClusterHouse,
    link: CutLink,
    events: number,
    enclaves: readonly string[],
    corpus: Corpus,
    topology: RedisTopology,
  ) {
    this.house = house;
    this.link = link;
    this.#events = events;
    this.#enclaves = enclaves;
    this.#corpus = corpus;
    this.#author = corpus.author(1);
    this.#answers = new FirstAnswers(house.url, enclaves.length);
    this.#topology = topology;
  }

  static async set(house: ClusterHouse, link: CutLink, port: number, options: BenchOptions): Promise<Scene> {
    const events = scaled(options, EVENTS, 5000);
    const small = scaled(options, ENCLAVES - 1, 20);
    const mine = (enclave: Uint8Array): boolean => shardOf(enclave, SHARDS) === VICTIM;
    const enclaves = await house.fill(async (filler) => {
      const { corpus } = filler;
      const big = await fillBig(filler, events, mine);
      filler.now = Date.now() - BUNDLE.timeout;
      return [big.enclave, ...(await filler.many(small, corpus.author(0), [corpus.author(1)], BUNDLE, mine))];
    });
    await house.start({
      shards: SHARDS,
      respawn: false,
      nodeArgs: options.nodeArgs,
      env: { ENC_LOG_LEVEL: 'fatal' },
      shardEnv: (shard): Record<string, string> =>
        shard === VICTIM ? { ENC_LINK_PORT: String(port), ENC_LINK_URL: `ws://127.0.0.1:${link.port}` } : {},
    });
    const topology = new RedisTopology(house.logUrl, () => {});
    await topology.connected(10_000);
    const scene = new Scene(house, link, events, enclaves, await Corpus.open(), topology);
    await scene.#allThere();
    return scene;
  }

  /** The same wave when nothing fails. */
  async calm(): Promise<BenchResult> {
    const times: number[] = [];
    for (let i = 0; i < CALM_WAVES; i++) times.push(...(await this.#wave()));
    return this.#row('failover-calm', 'no fault', times);
  }

  async fail(fault: Fault): Promise<BenchResult> {
    const bodies = this.#bodies();
    fault.strike(this);
    const times = await this.#answers.wave(bodies);
    const row = this.#row(fault.name, fault.what, times);
    const p99 = row.p99_ms as number;
    await fault.undo(this);
    const healed = performance.now();
    const back = await this.#allThere();
    return {
      ...row,
      must: `p99 ≤ ${fault.mustMs / 1000} s`,
      met: p99 <= fault.mustMs,
      back_s: (back - healed) / 1000,
    };
  }

  async close(): Promise<void> {
    this.#answers.close();
    await this.#topology.close();
  }

  #row(name: string, what: string, times: readonly number[]): BenchResult {
    const sorted = [...times].sort((a, b) => a - b);
    return {
      name,
      what: `first receipt of each of ${this.#enclaves.length} active enclaves, one commit each at once; ${what}`,
      ...latencies(sorted),
      max_ms: sorted.at(-1) ?? Number.NaN,
      large_ms: times[0] ?? Number.NaN,
      enclaves: this.#enclaves.length,
      events_of_the_large: this.#events,
    };
  }

  #bodies(): string[] {
    const content = `{"n":${this.#round++},"text":"${'enclave '.repeat(22)}"}`;
    const exp = Date.now() + 590_000;
    return this.#enclaves.map((enclave) => this.#corpus.commit(this.#author, enclave, { type: 'note', content, exp }));
  }

  #wave(): Promise<number[]> {
    return this.#answers.wave(this.#bodies());
  }

  /**
   * Commits to all of them until they are open where they belong, and heartbeats have said so for longer than one of them
   * may be old. Resolves to the time at which that began (performance.now()).
   */
  async #allThere(): Promise<number> {
    let since = 0;
    await waitFor('all enclaves to be back at their shard', BACK_MS, async () => {
      await this.#wave();
      const { beats } = await this.#topology.look(SHARDS);
      const guests = [...beats].reduce((sum, [, beat]) => sum + beat.guests, 0);
      const active = beats.get(VICTIM)?.active ?? 0;
      if (beats.size < SHARDS || guests > 0 || active < this.#enclaves.length) since = 0;
      else since ||= performance.now();
      return since > 0 && performance.now() - since > 2 * BEAT_EVERY_MS;
    });
    return since;
  }
}
