import { opBit, PUBLIC, SELF, SENDER, TRAIT, withState, withTrait } from './columns.ts';
import type { Json } from './json.ts';
import { checkInAndOut, checkNames } from './manifest-names.ts';
import type { ManifestShape } from './manifest-shape.ts';
import { Fault, readManifestShape } from './manifest-shape.ts';

/**
 * The Manifest (PROTOCOL §4): validated and compiled to what the rules work on. Columns, states and traits are the
 * numbers of columns.ts; a state is its value (OUTSIDER 0), a trait its index.
 *
 * Where PROTOCOL is silent:
 * - Order of faults: all shapes (manifest-shape.ts), then names, then In and Out (manifest-names.ts), then `sequencer`.
 * - `grants` and `transfers` have one shape, and each may hold rows of all three events; they are matched as one list.
 * - `ops` of moves and lifecycle rows is exactly `["C"]`. Other lists of ops, operators, scopes and traits may be empty
 *   or repeat themselves: it has no effect.
 * - `reads` may name event types that do not exist here.
 * - A Manifest without `bundle`, or with only one of its keys, gets the defaults.
 */
export interface Gate {
  readonly operators: readonly number[];
  readonly open: boolean;
}

/** A row of the matrix that grants operations to columns. `alias` is set only if some row defines that alias's gate. */
export interface Row {
  readonly operators: readonly number[];
  /** OP_* bits, denials shifted by DENY */
  readonly ops: number;
  readonly alias?: string;
}

export interface MoveRow extends Row {
  readonly from: number;
  readonly to: number;
}

export interface TraitRow extends Row {
  readonly event: string;
  readonly scope: readonly number[];
  readonly traits: readonly number[];
}

export interface SlotRow extends Row {
  readonly event: string;
  /** without the `*` */
  readonly key: string;
  readonly prefix: boolean;
}

export interface EventRow extends Row {
  readonly event: string;
}

export interface ReaderRow {
  readonly column: number;
  readonly reads: '*' | ReadonlySet<string>;
  readonly snapshot: boolean;
}

export interface Manifest {
  readonly size: number;
  /** ms */
  readonly timeout: number;
  /** hex32, if the Manifest names it */
  readonly sequencer?: string;
  /** names by value; [0] is OUTSIDER */
  readonly states: readonly string[];
  readonly traits: readonly { readonly name: string; readonly rank: number }[];
  readonly readers: readonly ReaderRow[];
  readonly moves: readonly MoveRow[];
  /** rows of `grants`, then of `transfers` */
  readonly grants: readonly TraitRow[];
  readonly slots: readonly SlotRow[];
  readonly lifecycle: readonly EventRow[];
  readonly customs: readonly EventRow[];
  /** names of the custom event types, each once, in order of appearance */
  readonly types: readonly string[];
  readonly gates: ReadonlyMap<string, Gate>;
  /** identity (hex32) and bitmask (may be 0: no leaf) */
  readonly init: readonly { readonly identity: string; readonly bits: number }[];
  /** columns that retention marks are kept for: those of a readers row with retention "snapshot" */
  readonly marked: ReadonlySet<number>;
}

export type ManifestResult =
  | { readonly ok: true; readonly manifest: Manifest }
  /** `path`: JSON Pointer to the first fault */
  | { readonly ok: false; readonly path: string };

/**
 * Validates and compiles the parsed content of a Manifest. `sequencer` (hex32): this node's key for the enclave, which
 * a `sequencer` in the Manifest must equal; absent where no key is known.
 */
export function readManifest(content: Json, sequencer?: string): ManifestResult {
  try {
    const shape = readManifestShape(content);
    checkNames(shape);
    checkInAndOut(shape);
    if (shape.sequencer !== undefined && sequencer !== undefined && shape.sequencer !== sequencer)
      throw new Fault('/sequencer');
    return { ok: true, manifest: compile(shape) };
  } catch (fault) {
    if (fault instanceof Fault) return { ok: false, path: fault.path };
    throw fault;
  }
}

function compile(shape: ManifestShape): Manifest {
  const { rbac } = shape;
  const states = ['OUTSIDER', ...rbac.states];
  const columns = new Map<string, number>([
    ['Public', PUBLIC],
    ['Self', SELF],
    ['Sender', SENDER],
  ]);
  for (const [value, name] of states.entries()) columns.set(name, value);
  for (const [index, trait] of rbac.traits.entries()) columns.set(trait.name, TRAIT + index);
  const column = (name: string): number => columns.get(name) ?? -1;
  const trait = (name: string): number => column(name) - TRAIT;
  const bits = (ops: readonly string[]): number => ops.reduce((all, op) => all | opBit(op), 0);

  const gates = new Map<string, Gate>();
  for (const row of [...rbac.moves, ...rbac.customs]) {
    if (row.gate && row.alias !== undefined)
      gates.set(row.alias, { operators: row.gate.operator.map(column), open: row.gate.open });
  }
  const gated = (alias: string | undefined): { alias?: string } =>
    alias !== undefined && gates.has(alias) ? { alias } : {};
  const readers = rbac.readers.map(
    (row): ReaderRow => ({
      column: column(row.type),
      reads: row.reads === '*' ? '*' : new Set(row.reads),
      snapshot: row.retention === 'snapshot',
    }),
  );

  return {
    size: shape.size,
    timeout: shape.timeout,
    ...(shape.sequencer === undefined ? {} : { sequencer: shape.sequencer }),
    states,
    traits: rbac.traits,
    readers,
    moves: rbac.moves.map((row) => ({
      from: column(row.from),
      to: column(row.to),
      operators: [column(row.operator)],
      ops: bits(row.ops),
      ...gated(row.alias),
    })),
    grants: [...rbac.grants, ...rbac.transfers].map((row) => ({
      event: row.event,
      operators: row.operator.map(column),
      ops: opBit('C'),
      scope: row.scope.map(column),
      traits: row.trait.map(trait),
    })),
    slots: rbac.slots.map((row) => ({
      event: row.event,
      operators: [column(row.operator)],
      ops: bits(row.ops),
      prefix: row.key.endsWith('*'),
      key: row.key.replace(/\*$/, ''),
    })),
    lifecycle: rbac.lifecycle.map((row) => ({
      event: row.event,
      operators: [column(row.operator)],
      ops: bits(row.ops),
    })),
    customs: rbac.customs.map((row) => ({
      event: row.event,
      operators: [column(row.operator)],
      ops: bits(row.ops),
      ...gated(row.alias),
    })),
    types: [...new Set(rbac.customs.map((row) => row.event))],
    gates,
    init: rbac.init.map((entry) => ({
      identity: entry.identity,
      bits: entry.traits.reduce((all, name) => withTrait(all, trait(name)), withState(0, column(entry.state))),
    })),
    marked: new Set(readers.filter((row) => row.snapshot && row.column < PUBLIC).map((row) => row.column)),
  };
}
