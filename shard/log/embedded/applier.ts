import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Applied, ApplierData, ApplyJob, ToApplier } from './writer-messages.ts';

/** The writer's end of the thread that puts the journal's rows into LMDB; started with the first job. */
export class Applier {
  readonly #data: ApplierData;
  readonly #onApplied: (applied: Applied) => void;
  readonly #onDead: (reason: string) => void;
  #worker: Worker | null = null;
  #closing = false;

  /** `onDead`: the thread has ended by itself; the job that it had may be done, or not. */
  constructor(data: ApplierData, onApplied: (applied: Applied) => void, onDead: (reason: string) => void) {
    this.#data = data;
    this.#onApplied = onApplied;
    this.#onDead = onDead;
  }

  apply(job: ApplyJob): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(job satisfies ToApplier);
  }

  /** Waits for the job that it has. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#worker === null) return;
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage('close' satisfies ToApplier);
    await ended;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./applier-thread.ts', import.meta.url), { workerData: this.#data });
    worker.on('message', (applied: Applied) => this.#onApplied(applied));
    worker.on('error', (error) => this.#dead(String(error)));
    worker.on('exit', () => this.#dead('the thread has ended'));
    return worker;
  }

  #dead(reason: string): void {
    this.#worker = null;
    if (this.#closing) return;
    this.#closing = true;
    this.#onDead(reason);
  }
}
