import type { EnclaveLog, LogKey } from '../enclave-log.ts';
import { LogUnavailable } from '../log-errors.ts';
import { ArchiveConflict } from './archive-errors.ts';
import type { ArchiveHints } from './archive-hints.ts';
import type { ArchiveMetrics } from './archive-metrics.ts';
import { Archiver, type ArchiverModules } from './archiver.ts';
import { type Backlog, logName } from './backlog.ts';
import { StoreUnavailable } from './object-store.ts';

/** How often all logs are looked at for what hints have missed, ms. */
const SWEEP_EVERY_MS = 600_000;
const SWEEP_PAGE = 256;
/** How long a stop waits for a bundle that is under way, ms. */
const CLOSE_MS = 10_000;
/** One line about a store that is away is enough for so long, ms. */
const TELL_EVERY_MS = 60_000;
/** Other failures that are remembered as told of. */
const MAX_TOLD = 10_000;

export interface ArchiveServiceModules extends Omit<ArchiverModules, 'log' | 'onArchived'> {
  readonly log: EnclaveLog;
  readonly hints: ArchiveHints;
  readonly backlog: Backlog;
  readonly metrics: ArchiveMetrics | null;
  readonly warn: (fields: object, message: string) => void;
  /** Is this log for this process to sweep? Hints are worked on for any. Default: all are. */
  readonly mine?: (key: LogKey) => boolean;
  /** Called when all that is released of a log is archived: it may be trimmed. */
  readonly settled?: (key: LogKey) => Promise<void>;
}

/** Keeps the archive behind the log: on hints at once, and by a sweep at the start and every ten minutes. */
export class ArchiveService {
  readonly #m: ArchiveServiceModules;
  readonly #archiver: Archiver;
  readonly #stop = new AbortController();
  readonly #told = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> = Promise.resolve();
  #toldOfStore = Number.NEGATIVE_INFINITY;

  constructor(modules: ArchiveServiceModules) {
    this.#m = modules;
    this.#archiver = new Archiver({
      ...modules,
      onArchived: (key, bytes) => {
        modules.backlog.archived(logName(key));
        modules.metrics?.bundles.inc();
        modules.metrics?.bytes.inc(bytes);
      },
    });
    modules.hints.start((key) => this.#work(key));
    this.sweep();
    this.#timer = setInterval(() => this.sweep(), SWEEP_EVERY_MS);
  }

  /** A bundle of this log has been released. */
  hint(key: LogKey): void {
    this.#m.backlog.heard(logName(key));
    this.#m.hints.hint(key);
  }

  /** Looks at every log there is, one after the other. */
  sweep(): void {
    this.#sweeping = this.#sweeping.then(() => this.#sweep()).catch((error: unknown) => this.#failed(null, error));
  }

  /** Resolves when all that runs has ended, or cannot be waited for: a crash at any point does no harm. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    const ended = Promise.all([this.#m.hints.close(), this.#sweeping]);
    let late: NodeJS.Timeout | undefined;
    await Promise.race([ended, new Promise<void>((resolve) => (late = setTimeout(resolve, CLOSE_MS)))]);
    clearTimeout(late);
    await this.#m.store.close();
  }

  async #sweep(): Promise<void> {
    const { log, backlog, hints } = this.#m;
    let page = await log.list(null, SWEEP_PAGE);
    for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
      for (const key of page) {
        if (this.#stop.signal.aborted) return;
        if (this.#m.mine?.(key) === false) continue;
        const lag = await this.#lag(key);
        backlog.found(logName(key), lag);
        if (lag > 0) hints.hint(key);
        else await this.#settled(key);
      }
      // A million logs take seconds: requests come first.
      await new Promise(setImmediate);
      page = await log.list(last, SWEEP_PAGE);
    }
  }

  /** One damaged log does not keep the others from the archive. */
  async #lag(key: LogKey): Promise<number> {
    try {
      return await this.#archiver.lag(key);
    } catch (error) {
      this.#failed(key, error);
      return 0;
    }
  }

  /** What fails here is done after the next bundle, or by the next sweep. */
  async #settled(key: LogKey): Promise<void> {
    try {
      await this.#m.settled?.(key);
    } catch (error) {
      if (!(error instanceof LogUnavailable)) this.#failed(key, error);
    }
  }

  async #work(key: LogKey): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { backlog } = this.#m;
    try {
      backlog.found(logName(key), await this.#archiver.lag(key));
      await this.#archiver.run(key, this.#stop.signal);
      if (!this.#stop.signal.aborted) await this.#settled(key);
    } catch (error) {
      this.#failed(key, error);
      throw error;
    }
  }

  #failed(key: LogKey | null, error: unknown): void {
    const { metrics, warn } = this.#m;
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof StoreUnavailable) {
      metrics?.failures.inc({ reason: 'store' });
      if (performance.now() - this.#toldOfStore < TELL_EVERY_MS) return;
      this.#toldOfStore = performance.now();
      return warn({ reason }, 'the archive can not be reached: what is missing there is kept and tried again');
    }
    metrics?.failures.inc({ reason: error instanceof ArchiveConflict ? 'conflict' : 'log' });
    const enclave = key === null ? null : Buffer.from(key.enclave).toString('hex');
    const what = `${enclave} ${reason}`;
    if (this.#told.has(what)) return;
    if (this.#told.size < MAX_TOLD) this.#told.add(what);
    warn({ enclave, reason }, 'an enclave can not be archived');
  }
}
