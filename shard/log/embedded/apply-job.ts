import { mayCommitAgain } from '../../journal/durable-file.ts';
import { asBuffer } from '../bytes.ts';
import { laterSteps } from './later-step.ts';
import { putHanded } from './pending-rows.ts';
import type { LmdbStore } from './store.ts';
import type { Applied, ApplyJob } from './writer-messages.ts';
import { WriterMeta } from './writer-meta.ts';

/**
 * Carries a job out in one transaction, in a thread beside the writer's. The writer may carry it out itself, with
 * something that can't wait: it voids the job first (`voided`: up to this number) and then takes LMDB's lock, and here
 * that is looked at when the lock is had. So either the job is in LMDB before the writer's transaction, which repeats it,
 * or it is not done at all: never are older rows put over newer ones.
 */
export function applyJob(store: LmdbStore, voided: Int32Array, job: ApplyJob): Applied {
  const { number } = job;
  const meta = new WriterMeta(store);
  try {
    return store.root.transactionSync((): Applied => {
      if (Atomics.load(voided, 0) >= number) return { number, result: 'void' };
      if (!meta.isOwner(asBuffer(job.owner))) return { number, result: 'lost' };
      putHanded(store, job.rows);
      if (job.end > 0) meta.putEnd(job.file, job.end);
      return { number, result: 'done', codes: laterSteps(store, job.later) };
    });
  } catch (error) {
    return { number, result: 'failed', error: String(error), fatal: !mayCommitAgain(error) };
  }
}
