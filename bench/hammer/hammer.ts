import { Worker } from 'node:worker_threads';
import { EncClient, type NodeInfo } from '../../client/client.ts';
import type { Finding } from './findings.ts';
import { Marks } from './marks.ts';
import type { CrewResult, FromCrew, Job, Phase, ToCrew } from './messages.ts';
import { makeReport, type Report } from './report.ts';
import { Series } from './series.ts';
import type { Goals, Settings } from './settings.ts';

/** What a screen may show while it runs. */
export interface Sight {
  readonly settings: Settings;
  readonly phase: Phase;
  /** seconds since the load began; negative before */
  readonly elapsed: number;
  readonly series: Series;
  readonly marks: Marks;
  readonly findings: readonly Finding[];
  /** events read back so far */
  readonly readBack: number;
}

export interface HammerOptions {
  readonly settings: Settings;
  readonly goals: Goals;
  /** file of marks (marks.ts) */
  readonly marks: string | null;
  /** aborted: offer nothing more, verify, judge */
  readonly stop: AbortSignal;
  /** called about once a second, and at each change of phase */
  readonly show: (sight: Sight) => void;
}

/** Time for the threads to start and to found the enclaves: an enclave of a cold cluster may wait for a take-over. */
const READY_MS = 120_000;
/** Time that a node has to say what it is. */
const MEET_MS = 10_000;
/** between "go" and the first commit: the threads begin together */
const LEAD_MS = 100;
const TICK_MS = 1000;

/**
 * Loads a node from several threads, proves all that it says, reads everything back, and judges. Throws if it can't begin:
 * the node is not there, or founds no enclaves.
 */
export async function hammer(options: HammerOptions): Promise<Report> {
  const { settings } = options;
  const node = await new EncClient(settings.url, { retryMs: MEET_MS }).node();
  const run = new Run(options);
  try {
    return await run.all(node);
  } finally {
    await run.dispose();
  }
}

class Run {
  readonly #o: HammerOptions;
  readonly #crews: Worker[];
  readonly #series: Series;
  readonly #marks: Marks;
  readonly #findings: Finding[] = [];
  readonly #results: CrewResult[] = [];
  readonly #phases: Phase[];
  readonly #failed = Promise.withResolvers<never>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #loaded = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  #readyCrews = 0;
  #crypto = '';
  #readBack = 0;
  #start = Number.POSITIVE_INFINITY;

  constructor(options: HammerOptions) {
    this.#o = options;
    const { settings } = options;
    const threads = Math.min(settings.threads, settings.enclaves);
    this.#series = new Series(threads);
    this.#marks = new Marks(options.marks);
    this.#phases = Array.from({ length: threads }, () => 'load');
    this.#crews = Array.from({ length: threads }, (_, i) => this.#hire(share(settings, i, threads), i));
    this.#failed.promise.catch(() => {});
  }

  async all(node: NodeInfo): Promise<Report> {
    const { settings, goals, stop } = this.#o;
    await this.#inTime(this.#ready.promise, READY_MS, 'the enclaves were not founded in time');
    const cpu = process.cpuUsage();
    this.#start = Date.now() + LEAD_MS;
    this.#say({ kind: 'go', at: this.#start });
    const ask = (): void => this.#say({ kind: 'stop' });
    if (stop.aborted) ask();
    stop.addEventListener('abort', ask, { once: true });
    const ticking = setInterval(() => this.#show(), TICK_MS);
    try {
      await Promise.race([this.#loaded.promise, this.#failed.promise]);
      const loadSeconds = Math.min(settings.seconds, (Date.now() - this.#start) / 1000);
      await Promise.race([this.#settled.promise, this.#failed.promise]);
      const used = process.cpuUsage(cpu);
      await Promise.race([this.#done.promise, this.#failed.promise]);
      this.#series.end();
      this.#show();
      return makeReport({
        start: this.#start,
        end: Date.now(),
        loadSeconds: Math.max(0, loadSeconds),
        node,
        settings,
        goals,
        crypto: this.#crypto,
        series: this.#series,
        marks: this.#marks.all,
        findings: this.#findings,
        results: this.#results,
        cpuSeconds: (used.user + used.system) / 1e6,
      });
    } finally {
      clearInterval(ticking);
      stop.removeEventListener('abort', ask);
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#crews.map((crew) => crew.terminate()));
  }

  #hire(job: Job, i: number): Worker {
    const crew = new Worker(new URL('./crew-thread.ts', import.meta.url), { workerData: job });
    crew.on('message', (message: FromCrew) => this.#hear(i, message));
    crew.on('error', (error) => this.#failed.reject(error));
    return crew;
  }

  #hear(i: number, message: FromCrew): void {
    switch (message.kind) {
      case 'ready':
        this.#crypto = message.crypto;
        if (++this.#readyCrews === this.#crews.length) this.#ready.resolve();
        return;
      case 'second':
        return this.#series.take(i, message.part);
      case 'finding':
        this.#findings.push(message.finding);
        return;
      case 'phase':
        this.#phases[i] = message.phase;
        if (this.#phases.every((phase) => phase !== 'load')) this.#loaded.resolve();
        if (this.#phases.every((phase) => phase === 'reading' || phase === 'done')) this.#settled.resolve();
        return this.#show();
      case 'read':
        this.#readBack += message.events;
        return;
      case 'done':
        this.#results.push(message.result);
        if (this.#results.length === this.#crews.length) this.#done.resolve();
    }
  }

  #say(message: ToCrew): void {
    for (const crew of this.#crews) crew.postMessage(message);
  }

  #show(): void {
    this.#marks.refresh();
    const order: readonly Phase[] = ['load', 'outcomes', 'reading', 'done'];
    this.#o.show({
      settings: this.#o.settings,
      phase: order.find((phase) => this.#phases.includes(phase)) ?? 'load',
      elapsed: (Date.now() - this.#start) / 1000,
      series: this.#series,
      marks: this.#marks,
      findings: this.#findings,
      readBack: this.#readBack,
    });
  }

  async #inTime(work: Promise<void>, ms: number, what: string): Promise<void> {
    const timer = setTimeout(() => this.#failed.reject(new Error(what)), ms);
    try {
      await Promise.race([work, this.#failed.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What thread `i` of `n` does. */
function share(settings: Settings, i: number, n: number): Job {
  const of = (whole: number): number => Math.floor((whole * (i + 1)) / n) - Math.floor((whole * i) / n);
  const some = (whole: number): number => Math.max(1, of(whole));
  const enclaves = of(settings.enclaves);
  return {
    ...settings,
    crew: i,
    enclaves,
    // A share as large as that of the enclaves: each gets as much as any other.
    rate: (settings.rate * enclaves) / settings.enclaves,
    readers: settings.readers === 0 ? 0 : some(settings.readers),
    readRate: settings.readRate / n,
    inFlight: some(settings.inFlight),
    connections: some(settings.connections),
    maxEvents: some(settings.maxEvents),
  };
}
