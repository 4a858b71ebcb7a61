import { DENY, isActive, OP_P, OP_R, type Standing } from './columns.ts';
import type { Manifest, Row } from './manifest.ts';
import { customRows, decide, type GateOpen, slotRows } from './rules.ts';

/**
 * Who may read what (PROTOCOL §5), decided per event: R by a readers row with an active column that covers the type, or
 * by a row's `R`, unless a row's `_R` denies it. A Pull may also go by P, which only rows give.
 *
 * Where PROTOCOL is silent:
 * - Retention `"snapshot"`: a mark (identity, column) → c is made or raised when the identity loses a column that such a
 *   row names; it stays when the column comes back. By that row the identity reads events with seq ≤ c while it does
 *   not hold the column. Contexts and Public cannot be lost. Within an AC_Bundle every op counts by itself.
 * - `Self` holds when reading a Move, Grant, Revoke or Transfer whose target is the reader.
 * - R, P and their denials on customs rows follow the gate as every op does; denials ignore it.
 * - For Pull, "R or P" is asked of each type by itself: an Update needs R on Update, and R or P on its target's type.
 * - `mayReadAnything`: of Update and Delete nothing is asked, since they are readable only with their targets.
 */
export interface Reader {
  readonly bits: number;
  /** the seq up to which the retention mark of (reader, column) goes, −1 without one */
  mark(column: number): number;
  readonly gateOpen: GateOpen;
}

/** What reading depends on besides the reader. */
export interface Readable {
  readonly type: string;
  readonly seq: number;
  /** the target of a Move, Grant, Revoke or Transfer is the reader */
  readonly self: boolean;
  /** the reader wrote it */
  readonly sender: boolean;
  /** key of a Shared or Own event */
  readonly key?: string;
  /** the key stands for all keys that begin so */
  readonly prefix?: boolean;
}

/** The event types whose `target` makes `Self`. */
const TARGETED = new Set(['Move', 'Grant', 'Revoke', 'Transfer']);
/** Event types that can be read for themselves; Update and Delete only go with their targets. */
const PREDEFINED = [
  'Manifest',
  'Move',
  'Grant',
  'Revoke',
  'Transfer',
  'Gate',
  'AC_Bundle',
  'Shared',
  'Own',
  'Pause',
  'Resume',
  'Terminate',
  'Migrate',
] as const;

/** May the reader read this event, as far as its own type goes? `pull`: P is enough. */
export function mayRead(manifest: Manifest, reader: Reader, event: Readable, pull = false): boolean {
  const who: Standing = { bits: reader.bits, self: event.self && TARGETED.has(event.type), sender: event.sender };
  const rows = rowsOf(manifest, event);
  return (
    readable(manifest, reader, event, who, rows) || (pull && decide(rows, OP_P, who, reader.gateOpen) === 'allowed')
  );
}

function readable(manifest: Manifest, reader: Reader, event: Readable, who: Standing, rows: readonly Row[]): boolean {
  if (rows.some((row) => row.ops & (OP_R << DENY) && row.operators.some((column) => isActive(column, who))))
    return false;
  if (decide(rows, OP_R, who, reader.gateOpen) === 'allowed') return true;
  return manifest.readers.some(
    (row) =>
      (row.reads === '*' || row.reads.has(event.type)) &&
      (isActive(row.column, who) || (row.snapshot && reader.mark(row.column) >= event.seq)),
  );
}

function rowsOf(manifest: Manifest, event: Readable): readonly Row[] {
  if (event.type === 'Shared' || event.type === 'Own')
    return slotRows(manifest, event.type, event.key ?? '', event.prefix);
  return customRows(manifest, event.type);
}

/** An Update or Delete: R on its own type and on its target's. `target` null: there is no such event. */
export function mayReadWithTarget(
  manifest: Manifest,
  reader: Reader,
  event: Readable,
  target: Readable | null,
  pull = false,
): boolean {
  return target !== null && mayRead(manifest, reader, event, pull) && mayRead(manifest, reader, target, pull);
}

/**
 * Is there any event that the reader could read? Asked with Self and Sender assumed true and false, seq 0 for retention
 * marks, and, for Shared and Own, with every key that a row names and one that only `*` matches. False is `forbidden`.
 */
export function mayReadAnything(manifest: Manifest, reader: Reader, pull = false): boolean {
  const situations = [0, 1, 2, 3].map((n) => ({ seq: 0, self: (n & 1) === 1, sender: (n & 2) === 2 }));
  const can = (event: { type: string; key?: string; prefix?: boolean }): boolean =>
    situations.some((situation) => mayRead(manifest, reader, { ...situation, ...event }, pull));
  return [...PREDEFINED, ...manifest.types].some((type) => {
    if (type !== 'Shared' && type !== 'Own') return can({ type });
    const keys = manifest.slots.filter((row) => row.event === type).map(({ key, prefix }) => ({ key, prefix }));
    return [...keys, { key: '', prefix: true }].some((key) => can({ type, ...key }));
  });
}

/**
 * Does the reader read every event there could be (so that it may be told that one does not exist)? Allowed for every
 * type without Self, Sender or retention marks, for all keys at once; any `_R` row counts whose operator is active or is
 * Self or Sender.
 */
export function readsEverything(manifest: Manifest, reader: Reader): boolean {
  const possible: Standing = { bits: reader.bits, self: true, sender: true };
  const denied = [...manifest.customs, ...manifest.slots].some(
    (row) => row.ops & (OP_R << DENY) && row.operators.some((column) => isActive(column, possible)),
  );
  if (denied) return false;
  const types = [...PREDEFINED, 'Update', 'Delete', ...manifest.types];
  const plain = { seq: Number.MAX_SAFE_INTEGER, self: false, sender: false, key: '', prefix: true };
  return types.every((type) => mayRead(manifest, reader, { ...plain, type }));
}
