import { DENY, isActive, OP_C, type Standing } from './columns.ts';
import type { ErrorCode } from './errors.ts';
import type { Manifest, Row, SlotRow } from './manifest.ts';

/**
 * How rows of the matrix decide (PROTOCOL §5): an op is allowed iff some matching row with an active operator, and an
 * open gate if it is gated, lists it, and no matching row with an active operator lists its denial; denials ignore
 * gates. Deny wins.
 */
export type Verdict = 'allowed' | 'forbidden' | 'gate_closed';

/** Is the gate of this alias open? Asked only for aliases that the Manifest gives a gate. */
export type GateOpen = (alias: string) => boolean;

/** `rows`: those that match the event. `gate_closed`: only a closed gate prevents it. */
export function decide(rows: Iterable<Row>, op: number, who: Standing, gateOpen: GateOpen): Verdict {
  let verdict: Verdict = 'forbidden';
  for (const row of rows) {
    if (!row.operators.some((column) => isActive(column, who))) continue;
    if (row.ops & (op << DENY)) return 'forbidden';
    if ((row.ops & op) === 0) continue;
    if (row.alias === undefined || gateOpen(row.alias)) verdict = 'allowed';
    else if (verdict === 'forbidden') verdict = 'gate_closed';
  }
  return verdict;
}

export function customRows(manifest: Manifest, type: string): Row[] {
  return manifest.customs.filter((row) => row.event === type);
}

/** Rows of a slot. `prefix`: the key stands for all keys that begin so, and a row must cover all of them. */
export function slotRows(manifest: Manifest, type: 'Shared' | 'Own', key: string, prefix = false): SlotRow[] {
  return manifest.slots.filter(
    (row) => row.event === type && (row.prefix ? key.startsWith(row.key) : !prefix && key === row.key),
  );
}

/** Creation of a custom event: op C on its type. `Sender` never holds for C. */
export function authorizeCustom(manifest: Manifest, bits: number, type: string, gateOpen: GateOpen): ErrorCode | null {
  return refusal(decide(customRows(manifest, type), OP_C, { bits, self: false, sender: false }, gateOpen));
}

export function refusal(verdict: Verdict): ErrorCode | null {
  return verdict === 'allowed' ? null : verdict;
}
