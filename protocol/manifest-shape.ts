import { utf8 } from './bytes.ts';
import { opBit } from './columns.ts';
import { isHex32 } from './hex.ts';
import { byCodeUnit, isArray, isObject, type Json, type JsonObject } from './json.ts';
import { RESERVED } from './layout.ts';
import { MAX_SLOT_KEY_BYTES, TYPE_PATTERN } from './limits.ts';

/**
 * First pass over a Manifest: the shape of every value (PROTOCOL §4). Within an object the known keys come first, in
 * the order of §4, presence and shape of each, depth first; then unknown keys, the first in UTF-16 order. Where a
 * required key is missing, the fault is at that key.
 */
export class Fault extends Error {
  readonly path: string;
  constructor(path: string) {
    super(`invalid manifest at ${path}`);
    this.path = path;
  }
}

export interface GateShape {
  readonly operator: readonly string[];
  readonly open: boolean;
}
export interface ReaderShape {
  readonly type: string;
  readonly reads: '*' | readonly string[];
  readonly retention: string;
}
export interface MoveShape {
  readonly from: string;
  readonly to: string;
  readonly operator: string;
  readonly ops: readonly string[];
  readonly alias?: string;
  readonly gate?: GateShape;
}
export interface TraitRowShape {
  readonly event: string;
  readonly operator: readonly string[];
  readonly scope: readonly string[];
  readonly trait: readonly string[];
}
export interface SlotShape {
  readonly event: string;
  readonly operator: string;
  readonly ops: readonly string[];
  readonly key: string;
}
export interface EventShape {
  readonly event: string;
  readonly operator: string;
  readonly ops: readonly string[];
  readonly alias?: string;
  readonly gate?: GateShape;
}
export interface InitShape {
  readonly identity: string;
  readonly state: string;
  readonly traits: readonly string[];
}
export interface RbacShape {
  readonly states: readonly string[];
  readonly traits: readonly { readonly name: string; readonly rank: number }[];
  readonly readers: readonly ReaderShape[];
  readonly moves: readonly MoveShape[];
  readonly grants: readonly TraitRowShape[];
  readonly transfers: readonly TraitRowShape[];
  readonly slots: readonly SlotShape[];
  readonly lifecycle: readonly EventShape[];
  readonly customs: readonly EventShape[];
  readonly init: readonly InitShape[];
}
export interface ManifestShape {
  readonly size: number;
  readonly timeout: number;
  readonly sequencer?: string;
  readonly rbac: RbacShape;
}

const MAX_ROWS = 1024;
const MAX_INIT = 4096;
const STATE = /^[A-Z][A-Z0-9_]{0,63}$/;
const TRAIT = /^([a-z][a-z0-9_]{0,63})\((0|[1-9][0-9]{0,8})\)$/;

type Read<T> = (value: Json, path: string) => T;

export function readManifestShape(content: Json): ManifestShape {
  const manifest = object(content, '');
  required(manifest, 'enc_v', '', (value, path) => {
    if (value !== 2) throw new Fault(path);
  });
  optional(manifest, 'nonce', '', text);
  const bundle = optional(manifest, 'bundle', '', readBundle);
  const sequencer = optional(manifest, 'sequencer', '', identity);
  const rbac = required(manifest, 'RBAC', '', readRbac);
  onlyKeys(manifest, '', ['enc_v', 'nonce', 'bundle', 'sequencer', 'meta', 'RBAC']);
  return {
    size: bundle?.size ?? 256,
    timeout: bundle?.timeout ?? 5000,
    ...(sequencer === undefined ? {} : { sequencer }),
    rbac,
  };
}

function readBundle(value: Json, path: string): { size: number | undefined; timeout: number | undefined } {
  const bundle = object(value, path);
  const size = optional(bundle, 'size', path, (v, p) => integer(v, p, 1, 4096));
  const timeout = optional(bundle, 'timeout', path, (v, p) => integer(v, p, 100, 600_000));
  onlyKeys(bundle, path, ['size', 'timeout']);
  return { size, timeout };
}

function readRbac(value: Json, path: string): RbacShape {
  const rbac = object(value, path);
  const rows = <T>(key: string, read: Read<T>, max = MAX_ROWS): readonly T[] =>
    optional(rbac, key, path, (v, p) => list(v, p, read, max)) ?? [];
  const shape: RbacShape = {
    states: rows('states', (v, p) => matching(v, p, STATE), 255),
    traits: rows('traits', readTrait, 24),
    readers: rows('readers', readReader),
    moves: rows('moves', readMove),
    grants: rows('grants', readTraitRow),
    transfers: rows('transfers', readTraitRow),
    slots: rows('slots', readSlot),
    lifecycle: rows('lifecycle', readLifecycle),
    customs: rows('customs', readCustom),
    init: rows('init', readInit, MAX_INIT),
  };
  onlyKeys(rbac, path, Object.keys(shape));
  return shape;
}

function readTrait(value: Json, path: string): { name: string; rank: number } {
  const match = TRAIT.exec(text(value, path));
  if (!match) throw new Fault(path);
  return { name: match[1] ?? '', rank: Number(match[2]) };
}

function readReader(value: Json, path: string): ReaderShape {
  const row = object(value, path);
  const type = required(row, 'type', path, text);
  const reads = required(row, 'reads', path, (v, p): '*' | string[] => (v === '*' ? '*' : list(v, p, eventType)));
  const retention = optional(row, 'retention', path, (v, p) => oneOf(v, p, ['current', 'snapshot'])) ?? 'current';
  onlyKeys(row, path, ['type', 'reads', 'retention']);
  return { type, reads, retention };
}

function readMove(value: Json, path: string): MoveShape {
  const row = object(value, path);
  required(row, 'event', path, (v, p) => oneOf(v, p, ['Move']));
  const from = required(row, 'from', path, text);
  const to = required(row, 'to', path, text);
  const operator = required(row, 'operator', path, text);
  const ops = required(row, 'ops', path, onlyC);
  const gating = readGating(row, path);
  onlyKeys(row, path, ['event', 'from', 'to', 'operator', 'ops', 'alias', 'gate']);
  return { from, to, operator, ops, ...gating };
}

function readTraitRow(value: Json, path: string): TraitRowShape {
  const row = object(value, path);
  const event = required(row, 'event', path, (v, p) => oneOf(v, p, ['Grant', 'Revoke', 'Transfer']));
  const operator = required(row, 'operator', path, (v, p) => list(v, p, text));
  const scope = required(row, 'scope', path, (v, p) => list(v, p, text));
  const trait = required(row, 'trait', path, (v, p) => list(v, p, text));
  onlyKeys(row, path, ['event', 'operator', 'scope', 'trait']);
  return { event, operator, scope, trait };
}

function readSlot(value: Json, path: string): SlotShape {
  const row = object(value, path);
  const event = required(row, 'event', path, (v, p) => oneOf(v, p, ['Shared', 'Own']));
  const operator = required(row, 'operator', path, text);
  const ops = required(row, 'ops', path, readOps);
  const key = required(row, 'key', path, (v, p) => {
    const bytes = utf8(text(v, p)).length;
    if (bytes < 1 || bytes > MAX_SLOT_KEY_BYTES) throw new Fault(p);
    return v as string;
  });
  onlyKeys(row, path, ['event', 'operator', 'ops', 'key']);
  return { event, operator, ops, key };
}

function readLifecycle(value: Json, path: string): EventShape {
  const row = object(value, path);
  const event = required(row, 'event', path, (v, p) => oneOf(v, p, ['Pause', 'Resume', 'Terminate', 'Migrate']));
  const operator = required(row, 'operator', path, text);
  const ops = required(row, 'ops', path, onlyC);
  onlyKeys(row, path, ['event', 'operator', 'ops']);
  return { event, operator, ops };
}

function readCustom(value: Json, path: string): EventShape {
  const row = object(value, path);
  const event = required(row, 'event', path, (v, p) => {
    if (RESERVED.has(eventType(v, p))) throw new Fault(p);
    return v as string;
  });
  const operator = required(row, 'operator', path, text);
  const ops = required(row, 'ops', path, readOps);
  const gating = readGating(row, path);
  onlyKeys(row, path, ['event', 'operator', 'ops', 'alias', 'gate']);
  return { event, operator, ops, ...gating };
}

function readGating(row: JsonObject, path: string): { alias?: string; gate?: GateShape } {
  const alias = optional(row, 'alias', path, eventType);
  const gate = optional(row, 'gate', path, (value, at): GateShape => {
    const shape = object(value, at);
    const operator = required(shape, 'operator', at, (v, p) => list(v, p, text));
    const open = optional(shape, 'open', at, (v, p) => {
      if (typeof v !== 'boolean') throw new Fault(p);
      return v;
    });
    onlyKeys(shape, at, ['operator', 'open']);
    return { operator, open: open ?? false };
  });
  return { ...(alias === undefined ? {} : { alias }), ...(gate === undefined ? {} : { gate }) };
}

function readInit(value: Json, path: string): InitShape {
  const entry = object(value, path);
  const who = required(entry, 'identity', path, identity);
  const state = required(entry, 'state', path, text);
  const traits = required(entry, 'traits', path, (v, p) => list(v, p, text));
  onlyKeys(entry, path, ['identity', 'state', 'traits']);
  return { identity: who, state, traits };
}

function readOps(value: Json, path: string): string[] {
  return list(value, path, (v, p) => {
    if (opBit(text(v, p)) === 0) throw new Fault(p);
    return v as string;
  });
}

function onlyC(value: Json, path: string): string[] {
  const ops = list(value, path, (v, p) => oneOf(v, p, ['C']));
  if (ops.length !== 1) throw new Fault(path);
  return ops;
}

function object(value: Json, path: string): JsonObject {
  if (!isObject(value)) throw new Fault(path);
  return value;
}

function required<T>(from: JsonObject, key: string, path: string, read: Read<T>): T {
  const value = from.get(key);
  if (value === undefined) throw new Fault(`${path}/${key}`);
  return read(value, `${path}/${key}`);
}

function optional<T>(from: JsonObject, key: string, path: string, read: Read<T>): T | undefined {
  const value = from.get(key);
  return value === undefined ? undefined : read(value, `${path}/${key}`);
}

/** Refuses the first key, in UTF-16 order, that is none of `known`. */
function onlyKeys(from: JsonObject, path: string, known: readonly string[]): void {
  const unknown = [...from.keys()].filter((key) => !known.includes(key)).sort(byCodeUnit);
  if (unknown[0] !== undefined) throw new Fault(`${path}/${unknown[0].replaceAll('~', '~0').replaceAll('/', '~1')}`);
}

function list<T>(value: Json, path: string, read: Read<T>, max = Number.MAX_SAFE_INTEGER): T[] {
  if (!isArray(value) || value.length > max) throw new Fault(path);
  return value.map((element, index) => read(element, `${path}/${index}`));
}

function text(value: Json, path: string): string {
  if (typeof value !== 'string') throw new Fault(path);
  return value;
}

function matching(value: Json, path: string, pattern: RegExp): string {
  if (!pattern.test(text(value, path))) throw new Fault(path);
  return value as string;
}

function identity(value: Json, path: string): string {
  if (!isHex32(value)) throw new Fault(path);
  return value;
}

function eventType(value: Json, path: string): string {
  return matching(value, path, TYPE_PATTERN);
}

function oneOf(value: Json, path: string, allowed: readonly string[]): string {
  if (!allowed.includes(text(value, path))) throw new Fault(path);
  return value as string;
}

function integer(value: Json, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw new Fault(path);
  return value;
}
