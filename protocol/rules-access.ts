import { hasTrait, isActive, OP_C, type Standing, stateOf, withoutTrait, withState, withTrait } from './columns.ts';
import type { ErrorCode } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { decide, refusal } from './rules.ts';
import type { AccessContent, BundleContent, GateContent, MoveContent, TraitContent } from './rules-content.ts';

/**
 * Move, Grant, Revoke, Transfer, Gate and AC_Bundle (PROTOCOL §5). Each rule returns its first refusal, in the order
 * forbidden, gate_closed, state_mismatch, rank, owner_must_transfer, no_change, or changes the state that it is given.
 *
 * Where PROTOCOL is silent:
 * - A Move row is matched by the content's `from` and `to`, so that somebody without a right is told `forbidden` even
 *   if the state differs as well; Grant, Revoke and Transfer rows by the target's current State.
 * - rank(X) of somebody in `OWNER` is −1 whatever traits they hold.
 * - `Self` holds for the operators of Grant, Revoke and Transfer rows too; `Sender` holds for none of them.
 * - A trait may be granted to somebody without a leaf: the leaf then has state byte 0, and its holder is an OUTSIDER.
 * - The operators of a gate are active by Public, State and traits only.
 */
export interface AccessState {
  /** bitmask of an identity (hex32), 0 without a leaf */
  bits(identity: string): number;
  gateOpen(alias: string): boolean;
  setBits(identity: string, bits: number): void;
  setGate(alias: string, open: boolean): void;
}

export type AccessRefusal = { readonly error: ErrorCode; readonly op?: number };

/** Applies one access event of `sender` to `state`; null if it was done, else nothing has been changed. */
export function applyAccess(
  manifest: Manifest,
  state: AccessState,
  sender: string,
  content: AccessContent,
): ErrorCode | null {
  switch (content.type) {
    case 'Move':
      return applyMove(manifest, state, sender, content);
    case 'Gate':
      return applyGate(manifest, state, sender, content);
    case 'Transfer':
      return applyTransfer(manifest, state, sender, content);
    default:
      return applyGrantOrRevoke(manifest, state, sender, content);
  }
}

/**
 * Applies the ops in order, each on the state that the one before left. On a refusal the changes of earlier ops are
 * already in `state`: give it an overlay (`overlay`), and drop that.
 */
export function applyAccessBundle(
  manifest: Manifest,
  state: AccessState,
  sender: string,
  content: BundleContent,
): AccessRefusal | null {
  for (const [op, access] of content.ops.entries()) {
    const error = applyAccess(manifest, state, sender, access);
    if (error !== null) return { error, op };
  }
  return null;
}

/** rank(X) of PROTOCOL §5: the lower, the higher the authority. */
export function rankOf(manifest: Manifest, bits: number): number {
  if (manifest.states[stateOf(bits)] === 'OWNER') return -1;
  return Math.min(
    ...manifest.traits.map(({ rank }, trait) => (hasTrait(bits, trait) ? rank : Number.POSITIVE_INFINITY)),
  );
}

export function holdsRankZero(manifest: Manifest, bits: number): boolean {
  return manifest.traits.some(({ rank }, trait) => rank === 0 && hasTrait(bits, trait));
}

/** The rank rule's first half: may A (≠ B) act on B at all? */
function outranked(manifest: Manifest, actor: number, target: number): boolean {
  const rank = rankOf(manifest, target);
  return Number.isFinite(rank) && rank <= rankOf(manifest, actor);
}

function standing(bits: number, self: boolean): Standing {
  return { bits, self, sender: false };
}

function applyMove(manifest: Manifest, state: AccessState, sender: string, move: MoveContent): ErrorCode | null {
  const actor = state.bits(sender);
  const target = state.bits(move.target);
  const self = move.target === sender;
  const rows = manifest.moves.filter((row) => row.from === move.from && row.to === move.to);
  const refused = refusal(decide(rows, OP_C, standing(actor, self), (alias) => state.gateOpen(alias)));
  if (refused !== null) return refused;
  if (stateOf(target) !== move.from) return 'state_mismatch';
  if (!self && outranked(manifest, actor, target)) return 'rank';
  if (move.to === 0 && holdsRankZero(manifest, target)) return 'owner_must_transfer';
  state.setBits(move.target, move.to === 0 ? 0 : withState(target, move.to));
  return null;
}

function traitRefusal(
  manifest: Manifest,
  actor: number,
  target: number,
  self: boolean,
  content: TraitContent,
): ErrorCode | null {
  const rows = manifest.grants.filter(
    (row) => row.event === content.type && row.scope.includes(stateOf(target)) && row.traits.includes(content.trait),
  );
  return refusal(decide(rows, OP_C, standing(actor, self), () => true));
}

function applyGrantOrRevoke(
  manifest: Manifest,
  state: AccessState,
  sender: string,
  content: TraitContent,
): ErrorCode | null {
  const actor = state.bits(sender);
  const target = state.bits(content.target);
  const self = content.target === sender;
  const refused = traitRefusal(manifest, actor, target, self, content);
  if (refused !== null) return refused;
  if (!self && outranked(manifest, actor, target)) return 'rank';
  const exempt = self && content.type === 'Revoke';
  const authority = rankOf(manifest, actor);
  const floor = Number.isFinite(authority) ? authority : 0;
  const rank = manifest.traits[content.trait]?.rank ?? 0;
  if (!exempt && rank <= floor) return 'rank';
  const grant = content.type === 'Grant';
  if (hasTrait(target, content.trait) === grant) return 'no_change';
  state.setBits(content.target, grant ? withTrait(target, content.trait) : withoutTrait(target, content.trait));
  return null;
}

function applyTransfer(
  manifest: Manifest,
  state: AccessState,
  sender: string,
  content: TraitContent,
): ErrorCode | null {
  const actor = state.bits(sender);
  const target = state.bits(content.target);
  const self = content.target === sender;
  const refused = traitRefusal(manifest, actor, target, self, content);
  if (refused !== null) return refused;
  if (!hasTrait(actor, content.trait)) return 'forbidden';
  if (self || hasTrait(target, content.trait)) return 'no_change';
  state.setBits(sender, withoutTrait(actor, content.trait));
  state.setBits(content.target, withTrait(target, content.trait));
  return null;
}

function applyGate(manifest: Manifest, state: AccessState, sender: string, content: GateContent): ErrorCode | null {
  const operators = manifest.gates.get(content.alias)?.operators ?? [];
  const who = standing(state.bits(sender), false);
  if (!operators.some((column) => isActive(column, who))) return 'forbidden';
  if (state.gateOpen(content.alias) === content.open) return 'no_change';
  state.setGate(content.alias, content.open);
  return null;
}
