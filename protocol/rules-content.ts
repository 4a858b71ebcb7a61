import { utf8 } from './bytes.ts';
import { isHex32 } from './hex.ts';
import { isArray, isObject, type Json, type JsonObject } from './json.ts';
import { MAX_SLOT_KEY_BYTES } from './limits.ts';
import type { Manifest } from './manifest.ts';

/**
 * Shapes of the predefined contents (PROTOCOL §5); what does not fit is `invalid_content`. Every content is an object
 * and may carry further fields.
 *
 * Where PROTOCOL is silent:
 * - `target` of Move, Grant, Revoke and Transfer is any hex32; whether it is a curve point is not asked.
 * - Grant's and Revoke's `endpoint` is a string of 1–2048 bytes; the fold keeps nothing of it but the event.
 * - Gate's alias is known iff some row defines its gate.
 * - Shared and Own carry either `value` or `delete: true`; any other `delete`, both or neither do not fit.
 * - Update must carry `content` (any value, null too).
 * - Pause, Resume and Terminate take any object.
 * - AC_Bundle: a fault within an op names the op (`op`); a fault of `ops` itself does not. An op's `type` decides, its
 *   `content` is as in an event of its own; further fields of an op have no effect.
 * - Migrate: `prev_seq` is an integer ≥ 0.
 */
export interface MoveContent {
  readonly type: 'Move';
  /** identity, hex32 */
  readonly target: string;
  /** state values */
  readonly from: number;
  readonly to: number;
}
export interface TraitContent {
  readonly type: 'Grant' | 'Revoke' | 'Transfer';
  readonly target: string;
  /** trait index */
  readonly trait: number;
}
export interface GateContent {
  readonly type: 'Gate';
  readonly alias: string;
  readonly open: boolean;
}
export type AccessContent = MoveContent | TraitContent | GateContent;
export interface BundleContent {
  readonly type: 'AC_Bundle';
  readonly ops: readonly AccessContent[];
}
export interface SlotContent {
  readonly type: 'Shared' | 'Own';
  readonly key: string;
  readonly delete: boolean;
}
export interface TargetContent {
  readonly type: 'Update' | 'Delete';
  /** event id, hex32 */
  readonly target: string;
}
export interface LifecycleContent {
  readonly type: 'Pause' | 'Resume' | 'Terminate';
}
export interface MigrateContent {
  readonly type: 'Migrate';
  /** hex32 */
  readonly newSequencer: string;
  readonly prevSeq: number;
  /** hex32 */
  readonly ctRoot: string;
}
export type PredefinedContent =
  | AccessContent
  | BundleContent
  | SlotContent
  | TargetContent
  | LifecycleContent
  | MigrateContent;
export type PredefinedType = PredefinedContent['type'];

/** By type, so that none is left out. */
const PREDEFINED: Readonly<Record<PredefinedType, true>> = {
  Move: true,
  Grant: true,
  Revoke: true,
  Transfer: true,
  Gate: true,
  AC_Bundle: true,
  Shared: true,
  Own: true,
  Update: true,
  Delete: true,
  Pause: true,
  Resume: true,
  Terminate: true,
  Migrate: true,
};

/** Has it a content that the protocol knows? The Manifest has a shape of its own (manifest.ts). */
export function isPredefined(type: string): type is PredefinedType {
  return Object.hasOwn(PREDEFINED, type);
}

/** The typed content, or where it does not fit: `op` is the index of the op of an AC_Bundle that does not. */
export type ContentResult =
  | { readonly ok: true; readonly content: PredefinedContent }
  | { readonly ok: false; readonly op?: number };

const FAULT: ContentResult = { ok: false };
const MAX_OPS = 64;
const MAX_ENDPOINT_BYTES = 2048;

export function readContent(manifest: Manifest, type: PredefinedType, content: Json): ContentResult {
  if (!isObject(content)) return FAULT;
  switch (type) {
    case 'AC_Bundle':
      return readBundle(manifest, content);
    case 'Shared':
    case 'Own':
      return readSlot(type, content);
    case 'Update':
    case 'Delete':
      return readTarget(type, content);
    case 'Pause':
    case 'Resume':
    case 'Terminate':
      return { ok: true, content: { type } };
    case 'Migrate':
      return readMigrate(content);
    default: {
      const access = readAccess(manifest, type, content);
      return access === null ? FAULT : { ok: true, content: access };
    }
  }
}

function readBundle(manifest: Manifest, content: JsonObject): ContentResult {
  const ops = content.get('ops');
  if (!isArray(ops) || ops.length < 1 || ops.length > MAX_OPS) return FAULT;
  const read: AccessContent[] = [];
  for (const [index, op] of ops.entries()) {
    const access = isObject(op) ? readAccess(manifest, op.get('type'), op.get('content')) : null;
    if (access === null) return { ok: false, op: index };
    read.push(access);
  }
  return { ok: true, content: { type: 'AC_Bundle', ops: read } };
}

function readAccess(manifest: Manifest, type: Json | undefined, content: Json | undefined): AccessContent | null {
  if (!isObject(content)) return null;
  if (type === 'Gate') {
    const alias = content.get('alias');
    const open = content.get('open');
    if (typeof alias !== 'string' || !manifest.gates.has(alias) || typeof open !== 'boolean') return null;
    return { type, alias, open };
  }
  const target = content.get('target');
  if (!isHex32<never>(target)) return null;
  if (type === 'Move') {
    const from = manifest.states.indexOf(textOf(content.get('from')));
    const to = manifest.states.indexOf(textOf(content.get('to')));
    return from < 0 || to < 0 ? null : { type, target, from, to };
  }
  if (type !== 'Grant' && type !== 'Revoke' && type !== 'Transfer') return null;
  const trait = manifest.traits.findIndex(({ name }) => name === content.get('trait'));
  if (trait < 0 || (type !== 'Transfer' && !endpointFits(content.get('endpoint')))) return null;
  return { type, target, trait };
}

function endpointFits(endpoint: Json | undefined): boolean {
  return endpoint === undefined || (typeof endpoint === 'string' && within(endpoint, MAX_ENDPOINT_BYTES));
}

function readSlot(type: 'Shared' | 'Own', content: JsonObject): ContentResult {
  const key = content.get('key');
  if (typeof key !== 'string' || !within(key, MAX_SLOT_KEY_BYTES)) return FAULT;
  if (content.has('value') === content.has('delete')) return FAULT;
  if (content.has('delete') && content.get('delete') !== true) return FAULT;
  return { ok: true, content: { type, key, delete: content.has('delete') } };
}

function readTarget(type: 'Update' | 'Delete', content: JsonObject): ContentResult {
  const target = content.get('target');
  if (!isHex32<never>(target) || (type === 'Update' && !content.has('content'))) return FAULT;
  return { ok: true, content: { type, target } };
}

function readMigrate(content: JsonObject): ContentResult {
  const newSequencer = content.get('new_sequencer');
  const prevSeq = content.get('prev_seq');
  const ctRoot = content.get('ct_root');
  if (!isHex32<never>(newSequencer) || !isHex32<never>(ctRoot)) return FAULT;
  if (typeof prevSeq !== 'number' || prevSeq < 0) return FAULT;
  return { ok: true, content: { type: 'Migrate', newSequencer, prevSeq, ctRoot } };
}

function within(text: string, maxBytes: number): boolean {
  return text.length > 0 && text.length <= maxBytes && utf8(text).length <= maxBytes;
}

/** The string, or one that is no name. */
function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
