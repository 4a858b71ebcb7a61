import { EncClient } from '../../client/client.ts';
import { systemClock } from '../../client/clock.ts';
import { EncError, NodeLied } from '../../client/errors.ts';
import type { Backoff } from '../../client/retry.ts';
import type { Backend } from '../../shard/crypto/backend.ts';
import { Random } from '../../test/faults/random.ts';
import { Findings } from './findings.ts';
import { type LeanFetch, leanFetch } from './lean-fetch.ts';
import type { CrewResult, FromCrew, Job } from './messages.ts';
import { Offer } from './offer.ts';
import { manifest, type People, people } from './people.ts';
import { Reader } from './reader.ts';
import { type ReadBack, readBack } from './reading-back.ts';
import { BUNDLE, LIFETIME_MS } from './settings.ts';
import { Site } from './site.ts';
import { Tally } from './tally.ts';
import { Writer } from './writer.ts';

/** A person's client waits up to 3 s; here the wait would be taken for the node's. */
const BACKOFF: Backoff = { baseMs: 20, capMs: 400 };
/** The ledger remembers all events; what the SDK remembers besides is a second opinion on the last ones. */
const SIGHTINGS = 512;
/** Enclaves founded at once, and read back at once. */
const AT_ONCE = 8;
const READ_AT_ONCE = 2;
const READ_CONNECTIONS = 8;
const DECIDE_MS = 500;
/** One attempt of one request, as in the SDK. */
const TIMEOUT_MS = 10_000;

/**
 * A share of the enclaves, hammered in a thread of its own: founds them, writes and reads, finds out what became of every
 * commit, and reads everything back.
 */
export class Crew {
  readonly #job: Job;
  readonly #tell: (message: FromCrew) => void;
  readonly #secp: Backend;
  readonly #people: People;
  readonly #random: Random;
  readonly #http: { readonly writers: LeanFetch; readonly readers: LeanFetch };
  readonly #findings: Findings;
  readonly #sites: Site[] = [];
  #tally: Tally;
  #offer: Offer | null = null;
  #stopped = false;

  constructor(job: Job, secp: Backend, tell: (message: FromCrew) => void) {
    this.#job = job;
    this.#tell = tell;
    this.#secp = secp;
    this.#people = people(job.seed, job.authors, secp);
    this.#random = new Random(`${job.seed}/crew ${job.crew}`);
    // Readers have connections of their own: they must not stand behind all writers of an overloaded node.
    this.#http = {
      writers: leanFetch(job.connections, TIMEOUT_MS),
      readers: leanFetch(Math.max(job.readers, READ_CONNECTIONS), TIMEOUT_MS),
    };
    this.#findings = new Findings((finding) => tell({ kind: 'finding', finding }));
    this.#tally = new Tally(Date.now(), () => {});
  }

  async found(): Promise<void> {
    const writers = this.#client(this.#http.writers, (code) => this.#tally.error(code));
    const readers = this.#client(this.#http.readers, (code) => this.#tally.readError(code));
    const { owner } = this.#people;
    await inParallel(AT_ONCE, this.#job.enclaves, async () => {
      const { enclave, receipt } = await writers.create(owner, manifest(this.#people, BUNDLE));
      const { sequencer } = receipt;
      const reader = readers.enclave(enclave.id, { key: owner, sequencer });
      const site = new Site(enclave, reader, sequencer, this.#people, this.#random);
      site.ledger.acknowledge(receipt.seq, receipt.id);
      this.#sites.push(site);
    });
    this.#tell({ kind: 'ready', crypto: this.#secp.name });
  }

  stop(): void {
    this.#stopped = true;
    this.#offer?.stop();
  }

  /** The whole run, from `at` (Unix ms) on. */
  async run(at: number): Promise<CrewResult> {
    const cpu = process.threadCpuUsage();
    this.#tally = new Tally(at, (part) => this.#tell({ kind: 'second', part }));
    const rolling = setInterval(() => this.#tally.roll(), 250);
    await this.#load(at);
    const until = Date.now() + this.#job.settleSeconds * 1000;
    this.#tell({ kind: 'phase', phase: 'outcomes' });
    await this.#outcomes(until);
    clearInterval(rolling);
    this.#tally.end();
    this.#tell({ kind: 'phase', phase: 'reading' });
    const readBack = await this.#readBack(until);
    for (const http of Object.values(this.#http)) http.close();
    const undecided = this.#sites.reduce((sum, site) => sum + site.undecided.size, 0);
    for (const { id, undecided } of this.#sites)
      for (const hash of undecided.keys())
        this.#findings.add('undecided', id, `nobody said what became of commit ${hash}`);
    this.#tell({ kind: 'phase', phase: 'done' });
    const used = process.threadCpuUsage(cpu);
    return {
      acknowledged: this.#sites.reduce((sum, site) => sum + site.ledger.acknowledged, 0),
      undecided,
      counts: this.#findings.counts,
      reads: this.#tally.reads,
      readBack,
      full: this.#offer?.full ?? false,
      cpuSeconds: (used.user + used.system) / 1e6,
    };
  }

  async #load(at: number): Promise<void> {
    const modules = { tally: this.#tally, findings: this.#findings, sleep: systemClock.sleep };
    const writer = new Writer(modules);
    this.#offer = new Offer(this.#job, at, { writer, tally: this.#tally, sites: this.#sites, random: this.#random });
    if (this.#stopped) this.#offer.stop();
    const reader = new Reader({ ...modules, random: this.#random, people: this.#people });
    const ended = new AbortController();
    const reading = Array.from({ length: this.#job.readers }, () => this.#read(reader, at, ended.signal));
    await this.#offer.run();
    ended.abort();
    await Promise.all(reading);
  }

  /** One reader, at its share of the read rate. */
  async #read(reader: Reader, at: number, ended: AbortSignal): Promise<void> {
    const every = (1000 * this.#job.readers) / this.#job.readRate;
    let due = at + this.#random.next() * every;
    while (!ended.aborted) {
      await systemClock.sleep(Math.max(1, due - Date.now()), ended).catch(() => {});
      if (ended.aborted) return;
      await reader.read(this.#random.pick(this.#sites));
      due = Math.max(Date.now(), due + every);
    }
  }

  /** Waits for what is under way, then asks for what is still open. */
  async #outcomes(until: number): Promise<void> {
    await this.#offer?.quiet(until);
    const writer = new Writer({ tally: this.#tally, findings: this.#findings, sleep: systemClock.sleep });
    for (;;) {
      const open = this.#sites.flatMap((site) => [...site.undecided.values()].map((commit) => ({ site, commit })));
      await inParallel(AT_ONCE, open.length, async (i) => {
        const { site, commit } = open[i] as (typeof open)[number];
        if (Date.now() < until) await writer.decide(site, commit);
      });
      if (open.length === 0 || Date.now() >= until) return;
      await systemClock.sleep(DECIDE_MS);
    }
  }

  async #readBack(until: number): Promise<CrewResult['readBack']> {
    const { transport } = this.#client(this.#http.readers, () => {});
    const total = { enclaves: 0, events: 0, bundles: 0, states: 0, heads: 0 };
    const modules = {
      transport,
      secp: this.#secp,
      findings: this.#findings,
      progress: (events: number) => this.#tell({ kind: 'read', events }),
    };
    await inParallel(READ_AT_ONCE, this.#sites.length, async (i) => {
      const site = this.#sites[i] as Site;
      try {
        const back: ReadBack = await readBack(site, until, modules);
        total.enclaves++;
        total.events += back.events;
        total.bundles += back.bundles;
        total.states += back.states;
        total.heads += back.heads;
      } catch (error) {
        if (!(error instanceof EncError)) throw error;
        if (error instanceof NodeLied)
          this.#findings.add('proof', site.id, `${error.call}: ${error.what}`, error.evidence);
        this.#findings.add('unread', site.id, `the enclave could not be read back: ${error.message}`);
      }
    });
    return total;
  }

  #client({ fetch }: LeanFetch, onError: (code: string) => void): EncClient {
    return new EncClient(this.#job.url, {
      fetch,
      timeoutMs: 0,
      secp: this.#secp,
      backoff: BACKOFF,
      sightings: SIGHTINGS,
      retryMs: LIFETIME_MS,
      onRetry: (error) => onError(error instanceof EncError ? error.code : 'internal'),
    });
  }
}

/** Runs `work(0)` … `work(count − 1)`, some at once. */
async function inParallel(atOnce: number, count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
}
