import { lostColumns } from '../../protocol/columns.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import type { Manifest } from '../../protocol/manifest.ts';
import type { Reader } from '../../protocol/read-rules.ts';
import type { AccessState } from '../../protocol/rules-access.ts';
import type { Status } from '../../protocol/rules-lifecycle.ts';
import { EMPTY_SMT, type Smt, smtDelete, smtGet, smtSet } from '../../protocol/smt.ts';
import {
  encodeKvKey,
  type KvKey,
  NAMESPACE_KV,
  NAMESPACE_RBAC,
  NAMESPACE_STATUS,
  type Namespace,
  smtKey,
  smtNumber,
} from '../../protocol/smt-keys.ts';

/**
 * What an enclave's events add up to. An immutable value: a refused commit leaves no trace because the state that it
 * was tried on is simply dropped. All that the rules ask is in the tree, but for the retention marks and the Manifest.
 */
export interface State {
  readonly manifest: Manifest;
  readonly tree: Smt;
  /** retention marks: identity (hex32) + ':' + column → the seq up to which it may still read */
  readonly marks: ReadonlyMap<string, number>;
  readonly status: Status;
  /** the key whose events come next (Migrate hands over only with the first event of the new one) */
  readonly sequencer: Uint8Array;
  /** what Migrate named, while the enclave is migrated */
  readonly newSequencer: Uint8Array | null;
}

export function emptyState(manifest: Manifest, sequencer: Uint8Array): State {
  return { manifest, tree: EMPTY_SMT, marks: new Map(), status: 'active', sequencer, newSequencer: null };
}

export function leafOf(state: State, namespace: Namespace, raw: Uint8Array): Uint8Array | null {
  return smtGet(state.tree, smtKey(namespace, raw));
}

/** Sets a leaf, or removes it (value null). */
export function withLeaf(state: State, namespace: Namespace, raw: Uint8Array, value: Uint8Array | null): State {
  const key = smtKey(namespace, raw);
  return { ...state, tree: value === null ? smtDelete(state.tree, key) : smtSet(state.tree, key, value) };
}

export function kvLeaf(state: State, key: KvKey): Uint8Array | null {
  return leafOf(state, NAMESPACE_KV, encodeKvKey(key));
}

export function withKv(state: State, key: KvKey, value: Uint8Array | null): State {
  return withLeaf(state, NAMESPACE_KV, encodeKvKey(key), value);
}

/** Bitmask of an identity (hex32); 0 without a leaf. */
export function bitsOf(state: State, identity: string): number {
  const leaf = leafOf(state, NAMESPACE_RBAC, unhex(identity));
  return leaf === null ? 0 : new DataView(leaf.buffer, leaf.byteOffset, 32).getUint32(28);
}

/** Writes a bitmask at event `seq`, and the retention marks of the columns that are lost with it. */
export function withBits(state: State, identity: string, bits: number, seq: number): State {
  const lost = lostColumns(bitsOf(state, identity), bits).filter((column) => state.manifest.marked.has(column));
  const marks =
    lost.length === 0
      ? state.marks
      : new Map([...state.marks, ...lost.map((column) => [`${identity}:${column}`, seq] as const)]);
  return { ...withLeaf(state, NAMESPACE_RBAC, unhex(identity), bits === 0 ? null : smtNumber(bits)), marks };
}

export function isGateOpen(state: State, alias: string): boolean {
  const leaf = kvLeaf(state, { kind: 'gate', alias });
  return leaf === null ? (state.manifest.gates.get(alias)?.open ?? false) : leaf[31] === 1;
}

export function withStatus(state: State, status: Status): State {
  const number = { active: 0, paused: 1, terminated: 2, migrated: 3 }[status];
  return { ...withKv(state, { kind: 'status' }, number === 0 ? null : smtNumber(number)), status };
}

/** Status of a content event: the commit hash of its last Update, 32 zero bytes if it is deleted, else null. */
export function eventStatus(state: State, id: Uint8Array): Uint8Array | null {
  return leafOf(state, NAMESPACE_STATUS, id);
}

export function isDeleted(state: State, id: Uint8Array): boolean {
  return eventStatus(state, id)?.every((byte) => byte === 0) ?? false;
}

/** A view of a state for the access rules, which change it in place: read `state` afterwards. */
export class Overlay implements AccessState {
  state: State;
  private readonly seq: number;

  constructor(state: State, seq: number) {
    this.state = state;
    this.seq = seq;
  }

  bits(identity: string): number {
    return bitsOf(this.state, identity);
  }

  gateOpen(alias: string): boolean {
    return isGateOpen(this.state, alias);
  }

  setBits(identity: string, bits: number): void {
    this.state = withBits(this.state, identity, bits, this.seq);
  }

  setGate(alias: string, open: boolean): void {
    this.state = withKv(this.state, { kind: 'gate', alias }, smtNumber(open ? 1 : 0));
  }
}

/** The identity as the reading rules see it. */
export function readerOf(state: State, identity: Uint8Array): Reader {
  const id = toHex(identity);
  return {
    bits: bitsOf(state, id),
    mark: (column) => state.marks.get(`${id}:${column}`) ?? -1,
    gateOpen: (alias) => isGateOpen(state, alias),
  };
}

/** Retention marks in the order of exportBase: by identity, then column. */
export function sortedMarks(state: State): { identity: Uint8Array; column: number; seq: number }[] {
  const rows = [...state.marks].map(([name, seq]) => {
    const [identity = '', column = ''] = name.split(':');
    return { id: identity, column: Number(column), seq };
  });
  rows.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.column - b.column));
  return rows.map(({ id, column, seq }) => ({ identity: unhex(id), column, seq }));
}

export function markName(identity: Uint8Array, column: number): string {
  return `${toHex(identity)}:${column}`;
}
