import { OP_C, stateOf } from './columns.ts';
import type { ErrorCode } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { decide, refusal } from './rules.ts';
import { holdsRankZero } from './rules-access.ts';
import type { LifecycleContent, MigrateContent } from './rules-content.ts';

/**
 * Pause, Resume, Terminate and Migrate (PROTOCOL §5). Allowed by a lifecycle row; only where no row names the event, by
 * holders of a rank-0 trait, or, if no rank-0 trait is declared, by the State OWNER.
 *
 * Where PROTOCOL is silent:
 * - Neither Self nor Sender holds for a lifecycle row.
 * - While a closing waits for its signatures its CT root is unknown, and every Migrate is `state_mismatch`.
 * - `new_sequencer` is any hex32, the present key too. The first event under it is judged as on an active enclave.
 * - A second Manifest on a paused, terminated or migrated enclave gets that status as its answer.
 */
export type Status = 'active' | 'paused' | 'terminated' | 'migrated';
/** value of the enclave's status leaf is the index; active has no leaf (PROTOCOL §6) */
export const STATUSES: readonly Status[] = ['active', 'paused', 'terminated', 'migrated'];

/** What Migrate must name: the seq of the last event, and the CT root (hex32) over the bundles closed so far. */
export interface LogPosition {
  readonly head: number;
  readonly ctRoot: string;
}

export function authorizeLifecycle(
  manifest: Manifest,
  bits: number,
  content: LifecycleContent | MigrateContent,
  status: Status,
  position: () => LogPosition,
): ErrorCode | null {
  const refused = lifecycleRight(manifest, bits, content.type);
  if (refused !== null) return refused;
  if (content.type === 'Resume') return status === 'paused' ? null : 'no_change';
  if (content.type !== 'Migrate') return null;
  const { head, ctRoot } = position();
  return content.prevSeq === head && content.ctRoot === ctRoot ? null : 'state_mismatch';
}

function lifecycleRight(manifest: Manifest, bits: number, type: string): ErrorCode | null {
  const rows = manifest.lifecycle.filter((row) => row.event === type);
  if (rows.length > 0) return refusal(decide(rows, OP_C, { bits, self: false, sender: false }, () => true));
  if (manifest.traits.some(({ rank }) => rank === 0)) return holdsRankZero(manifest, bits) ? null : 'forbidden';
  return manifest.states[stateOf(bits)] === 'OWNER' ? null : 'forbidden';
}

/** May an event of this type pass in this status? The error is the enclave's, whoever asks (PROTOCOL §3, §5). */
export function statusRefusal(status: Status, type: string): ErrorCode | null {
  if (status === 'terminated') return 'enclave_terminated';
  if (status === 'migrated') return 'enclave_migrated';
  if (status === 'paused' && type !== 'Resume' && type !== 'Terminate' && type !== 'Migrate') return 'enclave_paused';
  return null;
}
