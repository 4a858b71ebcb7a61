import type { ManifestShape } from './manifest-shape.ts';
import { Fault } from './manifest-shape.ts';

/**
 * Second and third pass over a Manifest of good shape (PROTOCOL §4). Names, in this order:
 * 1. states unique and not OUTSIDER, traits unique (by bare name);
 * 2. every column, state and trait that is named exists: readers, moves (from, to, operator, gate/operator), grants,
 *    transfers (operator, scope, trait), slots, lifecycle, customs (operator, gate/operator), init (state, traits);
 * 3. moves, then customs: a gate has an alias (else the fault is at the missing `alias`), and no alias has a second
 *    gate (the fault is at the second `gate`, equal or not);
 * 4. `from` ≠ `to` (the fault is at `to`);
 * 5. init, entry by entry: identity unique, its traits unique (the fault is at the second), none for OUTSIDER (at `traits`).
 */
export function checkNames({ rbac }: ManifestShape): void {
  const states = unique(rbac.states, '/RBAC/states', ['OUTSIDER']);
  states.add('OUTSIDER');
  const traits = unique(
    rbac.traits.map((trait) => trait.name),
    '/RBAC/traits',
    [],
  );
  const columns = new Set([...states, ...traits, 'Public', 'Self', 'Sender']);

  const exists = (names: ReadonlySet<string>, name: string, path: string): void => {
    if (!names.has(name)) throw new Fault(path);
  };
  const allExist = (names: ReadonlySet<string>, list: readonly string[], path: string): void => {
    for (const [index, name] of list.entries()) exists(names, name, `${path}/${index}`);
  };
  const each = <T>(list: readonly T[], name: string, check: (row: T, path: string) => void): void => {
    for (const [index, row] of list.entries()) check(row, `/RBAC/${name}/${index}`);
  };

  each(rbac.readers, 'readers', (row, path) => exists(columns, row.type, `${path}/type`));
  each(rbac.moves, 'moves', (row, path) => {
    exists(states, row.from, `${path}/from`);
    exists(states, row.to, `${path}/to`);
    exists(columns, row.operator, `${path}/operator`);
    if (row.gate) allExist(columns, row.gate.operator, `${path}/gate/operator`);
  });
  for (const name of ['grants', 'transfers'] as const) {
    each(rbac[name], name, (row, path) => {
      allExist(columns, row.operator, `${path}/operator`);
      allExist(states, row.scope, `${path}/scope`);
      allExist(traits, row.trait, `${path}/trait`);
    });
  }
  each(rbac.slots, 'slots', (row, path) => exists(columns, row.operator, `${path}/operator`));
  each(rbac.lifecycle, 'lifecycle', (row, path) => exists(columns, row.operator, `${path}/operator`));
  each(rbac.customs, 'customs', (row, path) => {
    exists(columns, row.operator, `${path}/operator`);
    if (row.gate) allExist(columns, row.gate.operator, `${path}/gate/operator`);
  });
  each(rbac.init, 'init', (entry, path) => {
    exists(states, entry.state, `${path}/state`);
    allExist(traits, entry.traits, `${path}/traits`);
  });

  const gates = new Set<string>();
  for (const name of ['moves', 'customs'] as const) {
    each<{ alias?: string; gate?: unknown }>(rbac[name], name, ({ alias, gate }, path) => {
      if (!gate) return;
      if (alias === undefined) throw new Fault(`${path}/alias`);
      if (gates.has(alias)) throw new Fault(`${path}/gate`);
      gates.add(alias);
    });
  }
  each(rbac.moves, 'moves', (row, path) => {
    if (row.from === row.to) throw new Fault(`${path}/to`);
  });
  const identities = new Set<string>();
  each(rbac.init, 'init', (entry, path) => {
    if (identities.has(entry.identity)) throw new Fault(`${path}/identity`);
    identities.add(entry.identity);
    unique(entry.traits, `${path}/traits`, []);
    if (entry.state === 'OUTSIDER' && entry.traits.length > 0) throw new Fault(`${path}/traits`);
  });
}

/**
 * In and Out (PROTOCOL §4): every state is reachable (a move into it, or an init entry) and has a way out, or is
 * init-only (an init entry, and no move in or out). The fault is at the state's name.
 */
export function checkInAndOut({ rbac }: ManifestShape): void {
  const into = new Set(rbac.moves.map((row) => row.to));
  const outOf = new Set(rbac.moves.map((row) => row.from));
  const initial = new Set(rbac.init.map((entry) => entry.state));
  for (const [index, state] of rbac.states.entries()) {
    const reachable = into.has(state) || initial.has(state);
    const initOnly = initial.has(state) && !into.has(state);
    if (!reachable || !(outOf.has(state) || initOnly)) throw new Fault(`/RBAC/states/${index}`);
  }
}

function unique(names: readonly string[], path: string, reserved: readonly string[]): Set<string> {
  const seen = new Set(reserved);
  for (const [index, name] of names.entries()) {
    if (seen.has(name)) throw new Fault(`${path}/${index}`);
    seen.add(name);
  }
  return new Set(names);
}
