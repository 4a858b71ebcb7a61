import type { OP_D, OP_U } from './columns.ts';
import type { ErrorCode } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { customRows, decide, type GateOpen, refusal } from './rules.ts';

/**
 * Update and Delete (PROTOCOL §5): op U / D on the target's type, `Sender` where its author is the sender. A target
 * that is not a released event of a custom type is `event_not_found`; then come `forbidden` and `gate_closed`, then
 * `deleted`.
 *
 * Where PROTOCOL is silent: a gated customs row is gated for U and D as well.
 */
export interface TargetEvent {
  readonly type: string;
  /** author, hex32 */
  readonly from: string;
}

export function authorizeTarget(
  manifest: Manifest,
  sender: { readonly id: string; readonly bits: number },
  op: typeof OP_U | typeof OP_D,
  target: TargetEvent | null,
  deleted: boolean,
  gateOpen: GateOpen,
): ErrorCode | null {
  if (target === null || !manifest.types.includes(target.type)) return 'event_not_found';
  const who = { bits: sender.bits, self: false, sender: target.from === sender.id };
  const refused = refusal(decide(customRows(manifest, target.type), op, who, gateOpen));
  if (refused !== null) return refused;
  return deleted ? 'deleted' : null;
}
