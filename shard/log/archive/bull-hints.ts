import { type ConnectionOptions, type Job, Queue, Worker } from 'bullmq';
import { fromHex, toHex } from '../../../protocol/hex.ts';
import type { LogKey } from '../enclave-log.ts';
import type { ArchiveHints } from './archive-hints.ts';

const QUEUE = 'archive';
/** Logs that one process archives at a time: a store that is far away answers slowly. */
const AT_ONCE = 4;
/** Wait before a log is tried again, doubled with every failure, ms. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** More than anybody waits for: then the job goes, and the next sweep makes another. */
const ATTEMPTS = 10_000;
/** A worker that has not renewed its lock for so long is dead, and its job goes to another one, ms. */
const LOCK_MS = 30_000;
/** How long closing waits for what runs, ms. */
const CLOSE_MS = 8_000;

/** Hints on their way to Redis; more are dropped: the next sweep finds their logs. */
const MAX_ADDING = 16_384;

interface Hint {
  readonly enclave: string;
  readonly lane: number;
}

export interface BullHintsOptions {
  /** Any Redis: what it loses are hints. */
  readonly connection: Exclude<ConnectionOptions, { readonly duplicate: unknown }>;
  /** Redis was away, or a job was lost: for the log, never for the caller. */
  readonly onError: (error: Error) => void;
  readonly retryMs?: number;
  readonly lockMs?: number;
}

/**
 * Hints between processes: BullMQ jobs, at most one waiting and one running per log, whoever adds them. A hint that
 * comes while its log is archived makes one more run behind it.
 */
export class BullHints implements ArchiveHints {
  readonly #options: BullHintsOptions;
  readonly #queue: Queue<Hint>;
  #worker: Worker<Hint> | null = null;
  /** being added, by log; true: hinted at again meanwhile */
  readonly #adding = new Map<string, boolean>();
  #closed = false;

  constructor(options: BullHintsOptions) {
    this.#options = options;
    // When Redis goes away a hint is lost at once, before it was ever there a few are kept: the sweep finds all logs.
    this.#queue = new Queue<Hint>(QUEUE, {
      connection: { ...options.connection, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
      prefix: '{enc}',
    });
    this.#queue.on('error', options.onError);
  }

  hint(key: LogKey): void {
    if (this.#closed) return;
    const hint = { enclave: toHex(key.enclave), lane: key.lane };
    const id = `${hint.enclave}/${hint.lane}`;
    if (this.#adding.has(id)) return void this.#adding.set(id, true);
    if (this.#adding.size >= MAX_ADDING) return;
    void this.#add(id, hint);
  }

  start(work: (key: LogKey) => Promise<void>): void {
    const { connection, onError, retryMs = RETRY_MS, lockMs = LOCK_MS } = this.#options;
    this.#worker = new Worker<Hint>(QUEUE, (job: Job<Hint>) => workOn(job, work), {
      connection: { ...connection, maxRetriesPerRequest: null },
      prefix: '{enc}',
      concurrency: AT_ONCE,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: ATTEMPTS,
      settings: { backoffStrategy: (made) => Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.min(20, made - 1)) },
    });
    this.#worker.on('error', onError);
  }

  async close(): Promise<void> {
    this.#closed = true;
    let late: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      late = setTimeout(resolve, CLOSE_MS);
    });
    // What still runs then is taken up by another process, once its lock is over.
    await Promise.race([this.#worker?.close().catch(this.#options.onError), deadline]);
    await Promise.race([this.#worker?.close(true).catch(this.#options.onError), deadline]);
    await Promise.race([this.#queue.close().catch(this.#options.onError), deadline]);
    clearTimeout(late);
  }

  async #add(id: string, hint: Hint): Promise<void> {
    do {
      this.#adding.set(id, false);
      try {
        await this.#queue.add('bundle', hint, {
          deduplication: { id, keepLastIfActive: true },
          attempts: ATTEMPTS,
          backoff: { type: 'custom' },
          removeOnComplete: true,
          removeOnFail: true,
        });
      } catch (error) {
        if (!this.#closed) this.#options.onError(error instanceof Error ? error : new Error(String(error)));
        break;
      }
      // What was added first may have been carried out before the second hint came.
    } while (this.#adding.get(id) === true && !this.#closed);
    this.#adding.delete(id);
  }
}

async function workOn(job: Job<Hint>, work: (key: LogKey) => Promise<void>): Promise<void> {
  const { enclave, lane } = job.data;
  const bytes = typeof enclave === 'string' ? fromHex(enclave, 32) : null;
  if (bytes !== null && Number.isSafeInteger(lane)) await work({ enclave: bytes, lane });
}
