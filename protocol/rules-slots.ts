import { OP_C, OP_D, OP_U } from './columns.ts';
import type { ErrorCode } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { decide, refusal, slotRows } from './rules.ts';
import type { SlotContent } from './rules-content.ts';

/**
 * Shared and Own (PROTOCOL §5): op C if the slot is absent, U if present, D to delete; deleting what is absent is
 * `no_change`, but only for somebody who may delete.
 *
 * Where PROTOCOL is silent: `Sender` holds for U and D of Own, whose slot only the sender can have written, and for
 * nothing of Shared, whose author the state does not keep.
 */
export function authorizeSlot(
  manifest: Manifest,
  bits: number,
  content: SlotContent,
  present: boolean,
): ErrorCode | null {
  const op = content.delete ? OP_D : present ? OP_U : OP_C;
  const sender = content.type === 'Own' && op !== OP_C;
  const rows = slotRows(manifest, content.type, content.key);
  const refused = refusal(decide(rows, op, { bits, self: false, sender }, () => true));
  if (refused !== null) return refused;
  return content.delete && !present ? 'no_change' : null;
}
