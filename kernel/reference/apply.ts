import { OP_D, OP_U } from '../../protocol/columns.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { ZERO32 } from '../../protocol/hash.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { type Json, parseJson } from '../../protocol/json.ts';
import { readManifest } from '../../protocol/manifest.ts';
import { authorizeCustom } from '../../protocol/rules.ts';
import { applyAccess, applyAccessBundle } from '../../protocol/rules-access.ts';
import {
  isPredefined,
  type PredefinedContent,
  type PredefinedType,
  readContent,
  type SlotContent,
  type TargetContent,
} from '../../protocol/rules-content.ts';
import { authorizeLifecycle, type LogPosition, statusRefusal } from '../../protocol/rules-lifecycle.ts';
import { authorizeSlot } from '../../protocol/rules-slots.ts';
import { authorizeTarget, type TargetEvent } from '../../protocol/rules-target.ts';
import type { KvKey } from '../../protocol/smt-keys.ts';
import { NAMESPACE_STATUS } from '../../protocol/smt-keys.ts';
import {
  bitsOf,
  emptyState,
  isDeleted,
  isGateOpen,
  kvLeaf,
  Overlay,
  type State,
  withBits,
  withKv,
  withLeaf,
  withStatus,
} from './state.ts';

/**
 * The state transition of one event: content shape, then rights, then effect (PROTOCOL §3, §5). Pure: it returns the
 * next state or the refusal.
 */
export interface Candidate {
  readonly type: string;
  readonly from: Uint8Array;
  readonly hash: Uint8Array;
  /** canonical JSON; empty when erased */
  readonly content: Uint8Array;
  readonly erased: boolean;
  /** of an erased Update: its target, if known */
  readonly target?: Uint8Array;
}

export interface Surroundings {
  /** the seq that the event would get */
  readonly seq: number;
  /** a released event by id, or null */
  readonly find: (id: Uint8Array) => TargetEvent | null;
  /** head and CT root before the event; ctRoot '' while closings wait for their signatures */
  readonly position: () => LogPosition;
}

export interface Refusal {
  readonly error: ErrorCode;
  /** fields of the error as a JSON fragment, or '' */
  readonly detail: string;
}

export type Outcome = { readonly ok: true; readonly state: State } | ({ readonly ok: false } & Refusal);

function refuse(error: ErrorCode, detail = ''): Outcome {
  return { ok: false, error, detail };
}

/** The first event of an enclave. */
export function applyManifest(content: Uint8Array, sequencer: Uint8Array): Outcome {
  const result = readManifest(contentOf(content), toHex(sequencer));
  if (!result.ok) return refuse('invalid_manifest', `"path":${JSON.stringify(result.path)}`);
  const { manifest } = result;
  const state = manifest.init.reduce(
    (all, { identity, bits }) => withBits(all, identity, bits, 0),
    emptyState(manifest, sequencer),
  );
  // What a member held before the enclave began was never a column that it could lose.
  return { ok: true, state: { ...state, marks: new Map() } };
}

/** Any later event. `takeOver`: it comes from the key that Migrate named, and makes the enclave active again first. */
export function apply(before: State, commit: Candidate, around: Surroundings, takeOver: boolean): Outcome {
  const state = takeOver ? activated(before) : before;
  const status = statusRefusal(state.status, commit.type);
  if (status !== null) return refuse(status, statusDetail(state));
  if (commit.type === 'Manifest') return refuse('enclave_exists');
  if (commit.type === 'Lanes') return refuse('forbidden');
  if (!isPredefined(commit.type)) return custom(state, commit);
  const content = commit.erased ? erasedContent(commit) : typedContent(state, commit.type, commit.content);
  if (!content.ok) return refuse('invalid_content', content.op === undefined ? '' : `"op":${content.op}`);
  return predefined(state, commit, content.content, around);
}

/** The status leaf goes with the first event of the new sequencer (PROTOCOL §5, Migrate). */
function activated(state: State): State {
  return { ...withStatus(state, 'active'), sequencer: state.newSequencer ?? state.sequencer, newSequencer: null };
}

export function statusDetail(state: State): string {
  return state.status === 'migrated' && state.newSequencer !== null
    ? `"new_sequencer":"${toHex(state.newSequencer)}"`
    : '';
}

function contentOf(bytes: Uint8Array): Json {
  const parsed = parseJson(bytes);
  if (parsed === null) throw new Error('a content that is not canonical JSON');
  return parsed.value;
}

function typedContent(state: State, type: PredefinedType, content: Uint8Array): ReturnType<typeof readContent> {
  return readContent(state.manifest, type, contentOf(content));
}

/** Only content events and Updates are ever erased; of an Update its target must be known. */
function erasedContent(commit: Candidate): ReturnType<typeof readContent> {
  if (commit.type !== 'Update' || commit.target === undefined) return { ok: false };
  return { ok: true, content: { type: 'Update', target: toHex(commit.target) } };
}

function custom(state: State, commit: Candidate): Outcome {
  const error = authorizeCustom(state.manifest, bitsOf(state, toHex(commit.from)), commit.type, (alias) =>
    isGateOpen(state, alias),
  );
  return error === null ? { ok: true, state } : refuse(error);
}

function predefined(state: State, commit: Candidate, content: PredefinedContent, around: Surroundings): Outcome {
  const sender = toHex(commit.from);
  switch (content.type) {
    case 'Move':
    case 'Grant':
    case 'Revoke':
    case 'Transfer':
    case 'Gate': {
      const overlay = new Overlay(state, around.seq);
      const error = applyAccess(state.manifest, overlay, sender, content);
      return error === null ? { ok: true, state: overlay.state } : refuse(error);
    }
    case 'AC_Bundle': {
      const overlay = new Overlay(state, around.seq);
      const refusal = applyAccessBundle(state.manifest, overlay, sender, content);
      return refusal === null ? { ok: true, state: overlay.state } : refuse(refusal.error, `"op":${refusal.op}`);
    }
    case 'Shared':
    case 'Own':
      return slot(state, commit, content);
    case 'Update':
    case 'Delete':
      return update(state, commit, content, around);
    default: {
      const error = authorizeLifecycle(state.manifest, bitsOf(state, sender), content, state.status, around.position);
      if (error !== null) return refuse(error);
      if (content.type === 'Pause') return { ok: true, state: withStatus(state, 'paused') };
      if (content.type === 'Resume') return { ok: true, state: withStatus(state, 'active') };
      if (content.type === 'Migrate')
        return { ok: true, state: { ...withStatus(state, 'migrated'), newSequencer: unhex(content.newSequencer) } };
      return { ok: true, state: withStatus(state, 'terminated') };
    }
  }
}

function slot(state: State, commit: Candidate, content: SlotContent): Outcome {
  const key: KvKey =
    content.type === 'Shared'
      ? { kind: 'shared', key: content.key }
      : { kind: 'own', key: content.key, from: commit.from };
  const error = authorizeSlot(state.manifest, bitsOf(state, toHex(commit.from)), content, kvLeaf(state, key) !== null);
  return error === null ? { ok: true, state: withKv(state, key, content.delete ? null : commit.hash) } : refuse(error);
}

function update(state: State, commit: Candidate, content: TargetContent, around: Surroundings): Outcome {
  const sender = toHex(commit.from);
  const id = unhex(content.target);
  const op = content.type === 'Update' ? OP_U : OP_D;
  const who = { id: sender, bits: bitsOf(state, sender) };
  const error = authorizeTarget(state.manifest, who, op, around.find(id), isDeleted(state, id), (alias) =>
    isGateOpen(state, alias),
  );
  if (error !== null) return refuse(error);
  return { ok: true, state: withLeaf(state, NAMESPACE_STATUS, id, content.type === 'Update' ? commit.hash : ZERO32) };
}
