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
import { BUNDLE } from './settings.ts';
import { Site } from './site.ts';
import { Tally } from './tally.ts';
import { Writer } from './writer.ts';

/** A person's client waits up to 3 s; here the wait would be taken for the node's. */
const BACKOFF: Backoff = { baseMs: 20, capMs: 400 };
/** The ledger remembers all events; what the SDK remembers besides is a second opinion on the last ones. */
const SIGHTINGS = 64;
/** Enclaves founded at once, and read back at once. */
const AT_ONCE = 8;
const READ_AT_ONCE = 2;
const READ_CONNECTIONS = 8;
const DECIDE_MS = 500;
/** One attempt of one request, as in the SDK. */
const TIMEOUT_MS = 10_000;
/** How long a read is repeated, and the question for a receipt, ms. */
const READ_MS = 60_000;
const ASK_MS = 3000;

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
    const writers = this.#client(this.#http.writers, ASK_MS, (code) => this.#tally.error(code));
    const readers = this.#client(this.#http.readers, READ_MS, (code) => this.#tally.readError(code));
    const { owner } = this.#people;
    await inParallel(AT_ONCE, this.#job.enclaves, async () => {
      const { enclave: reader, receipt } = await readers.create(owner, manifest(this.#people, BUNDLE));
      const { sequencer } = receipt;
      const writer = writers.enclave(reader.id, { key: owner, sequencer });
      const site = new Site(writer, reader, sequencer, this.#people, this.#random);
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
    this.#tally = new Tally(at, (part) => this.#tell({ kind: 'second', part }));
    const rolling = setInterval(() => this.#tally.roll(), 250);
    await this.#load(at);
    const settleMs = this.#job.settleSeconds * 1000;
    const ended = Date.now();
    this.#tell({ kind: 'phase', phase: 'outcomes' });
    await this.#outcomes(ended + settleMs / 2);
    clearInterval(rolling);
    this.#tally.end();
    this.#tell({ kind: 'phase', phase: 'reading' });
    const readBack = await this.#readBack(ended + settleMs);
    for (const http of Object.values(this.#http)) http.close();
    const undecided = this.#sites.reduce((sum, site) => sum + site.undecided.size, 0);
    for (const { id, undecided } of this.#sites)
      for (const hash of undecided.keys())
        this.#findings.add('undecided', id, `nobody said what became of commit ${hash}`);
    this.#tell({ kind: 'phase', phase: 'done' });
    return {
      acknowledged: this.#sites.reduce((sum, site) => sum + site.ledger.acknowledged, 0),
      undecided,
      counts: this.#findings.counts,
      readBack,
      full: this.#offer?.full ?? false,
    };
  }

  async #load(at: number): Promise<void> {
    const modules = { tally: this.#tally, findings: this.#findings, sleep: systemClock.sleep };
    const writer = this.#writer();
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
    const left = (await this.#offer?.quiet(until)) ?? 0;
    if (left > 0) this.#findings.add('undecided', '', `${left} commits are still under way`);
    const writer = this.#writer();
    const decide = async (site: Site): Promise<void> => {
      const now = Date.now();
      const commits = [...site.undecided.values()];
      // Of an enclave in which nothing happens the node can't say that a commit has expired.
      if (commits.some(({ exp }) => exp <= now)) await writer.send(site, [site.drafts.next(this.#job.content)], now);
      for (const commit of commits) if (Date.now() < until) await writer.decide(site, commit);
    };
    for (;;) {
      const open = this.#sites.filter(({ undecided }) => undecided.size > 0);
      await inParallel(AT_ONCE, open.length, (i) => decide(open[i] as Site));
      if (open.length === 0 || Date.now() >= until) return;
      await systemClock.sleep(DECIDE_MS);
    }
  }

  async #readBack(until: number): Promise<CrewResult['readBack']> {
    const { transport } = this.#client(this.#http.readers, READ_MS, () => {});
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

  #writer(): Writer {
    const lifetimeMs = this.#job.lifetimeSeconds * 1000;
    return new Writer({ lifetimeMs, tally: this.#tally, findings: this.#findings, sleep: systemClock.sleep });
  }

  #client({ fetch }: LeanFetch, retryMs: number, onError: (code: string) => void): EncClient {
    return new EncClient(this.#job.url, {
      fetch,
      timeoutMs: 0,
      secp: this.#secp,
      backoff: BACKOFF,
      sightings: SIGHTINGS,
      retryMs,
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
