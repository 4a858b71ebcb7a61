import { IC_ALG, IC_ECDSA, STAGE_FORGED, STAGE_VERIFIED, TYPES } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { CryptoPool } from '../crypto/crypto.ts';
import { errorBytes } from './answers.ts';
import type { PendingCommit } from './commit.ts';

const UNAVAILABLE = errorNumber('unavailable');
const TYPE_UPDATE = TYPES.indexOf('Update');
const TYPE_DELETE = TYPES.indexOf('Delete');
/** bytes of one job of CryptoPool.verify */
const JOB = 136;

/** Where a verified commit goes: the actor of its enclave, or the room for new enclaves. */
export interface Target {
  push(commit: PendingCommit): void;
  pump(): void;
}

interface Job {
  readonly commits: PendingCommit[];
  readonly targets: Target[];
  results: Uint8Array | null;
  /** lookups of Update and Delete targets that must be there before staging */
  fetching: number;
  /** commits whose target could not be looked up: whether there is one is not known */
  readonly blind: Set<PendingCommit>;
  done: boolean;
}

/** Jobs under way in the pool, which splits large ones over its workers: what comes in meanwhile is the next job, so jobs
 *  grow with the load. */
const MAX_JOBS = 1;

/**
 * Checks signatures for all enclaves together: whatever came in while earlier jobs were busy is one job of the crypto
 * pool. Jobs are handed on in the order in which they were made, so an author's commits keep their order.
 */
export class Verifier {
  readonly #pool: CryptoPool;
  readonly #prefetch: (commit: PendingCommit, target: Target) => Promise<void>;
  readonly #jobs: Job[] = [];
  #open: Job | null = null;
  #inputs = new Uint8Array(64 * JOB);
  #waiting = 0;
  #running = 0;

  /** `prefetch` loads what an Update or Delete refers to, so that the kernel's question is answered synchronously. */
  constructor(pool: CryptoPool, prefetch: (commit: PendingCommit, target: Target) => Promise<void>) {
    this.#pool = pool;
    this.#prefetch = prefetch;
  }

  /** commits whose signatures are being checked */
  get waiting(): number {
    return this.#waiting;
  }

  add(commit: PendingCommit, target: Target): void {
    let job = this.#open;
    if (!job) {
      job = { commits: [], targets: [], results: null, fetching: 0, blind: new Set(), done: false };
      this.#open = job;
      this.#jobs.push(job);
      if (this.#running < MAX_JOBS) setImmediate(() => this.#send());
    }
    this.#waiting++;
    job.commits.push(commit);
    job.targets.push(target);
  }

  #send(): void {
    const job = this.#open;
    if (!job || this.#running >= MAX_JOBS) return;
    this.#open = null;
    this.#running++;
    const { commits } = job;
    const need = commits.length * JOB;
    if (this.#inputs.length < need) this.#inputs = new Uint8Array(need * 2);
    const inputs = this.#inputs;
    for (let i = 0; i < commits.length; i++) {
      const { ic } = commits[i] as PendingCommit;
      const at = i * JOB;
      inputs[at] = (ic[6] as number) & IC_ECDSA && (ic[6] as number) & IC_ALG ? 1 : 0;
      inputs.set(ic.subarray(56, 184), at + 8); // from, hash, sig stand side by side in an IC
      const type = ic[7];
      if (type === TYPE_UPDATE || type === TYPE_DELETE) this.#fetch(job, i);
    }
    this.#pool.verify(inputs.subarray(0, need), commits.length, (results) => {
      this.#running--;
      this.#send();
      job.results = results ?? new Uint8Array(commits.length);
      this.#finish(job);
    });
  }

  #fetch(job: Job, i: number): void {
    job.fetching++;
    const settled = () => {
      job.fetching--;
      this.#finish(job);
    };
    const commit = job.commits[i] as PendingCommit;
    this.#prefetch(commit, job.targets[i] as Target).then(settled, () => {
      job.blind.add(commit);
      settled();
    });
  }

  #finish(job: Job): void {
    job.done = job.results !== null && job.fetching === 0;
    for (let head = this.#jobs[0]; head?.done; head = this.#jobs[0]) {
      this.#jobs.shift();
      const { commits, targets, results, blind } = head;
      const touched = new Set<Target>();
      for (let i = 0; i < commits.length; i++) {
        const commit = commits[i] as PendingCommit;
        const target = targets[i] as Target;
        if (blind.has(commit)) {
          commit.reply(UNAVAILABLE, errorBytes(UNAVAILABLE));
          continue;
        }
        if (commit.trace !== null) commit.trace.verified = performance.now();
        commit.flags |= (results as Uint8Array)[i] === 1 ? STAGE_VERIFIED : STAGE_FORGED;
        target.push(commit);
        touched.add(target);
      }
      this.#waiting -= commits.length;
      for (const target of touched) target.pump();
    }
  }
}
