import { fromUtf8, MAX_INTEGER, pad8, utf8, viewOf } from './bytes.ts';
import { isHex32, toHex, unhex } from './hex.ts';
import { isArray, isObject, type Json, type JsonObject } from './json.ts';
import { FILTER_FROM, FILTER_ID, FILTER_LANE, FILTER_SEQ, FILTER_TAGS, FILTER_TIME, FILTER_TYPE } from './layout.ts';
import { DEFAULT_LIMIT, MAX_FILTER_VALUES, MAX_LIMIT, MAX_TAG_BYTES } from './limits.ts';
import { getI64, getU64, setI64, setU64 } from './records.ts';
import { hasOnly, isInteger, isShort, isTypeName } from './shape.ts';

/** Values that match, or every value in from … to (inclusive). */
export interface NumberFilter {
  /** empty: the range counts */
  readonly values: readonly number[];
  readonly from: number;
  readonly to: number;
}

export interface TagFilter {
  readonly name: string;
  /** null: any value */
  readonly values: readonly string[] | null;
}

/** A filter of PROTOCOL §9. Absent conditions are null; all that are there must hold. */
export interface Filter {
  readonly limit: number;
  readonly reverse: boolean;
  readonly lane: number | null;
  /** hex32 each */
  readonly ids: readonly string[] | null;
  readonly froms: readonly string[] | null;
  readonly types: readonly string[] | null;
  readonly seq: NumberFilter | null;
  readonly time: NumberFilter | null;
  readonly tags: readonly TagFilter[] | null;
}

const FILTER_KEYS: ReadonlySet<string> = new Set([
  'id',
  'seq',
  'type',
  'from',
  'timestamp',
  'tags',
  'lane',
  'limit',
  'reverse',
]);
const RANGE_KEYS: ReadonlySet<string> = new Set(['start_at', 'start_after', 'end_at', 'end_before']);
const HEAD = 72;
const ANY_VALUE = 0xffff;

const FAULT = new Error('invalid filter');

/** The filter in a JSON value, or null (`invalid_filter`). Every list has 1–100 values; tags may name 0–100 names. */
export function parseFilter(value: Json | undefined): Filter | null {
  if (!isObject(value) || !hasOnly(value, FILTER_KEYS)) return null;
  try {
    return {
      limit: option(value, 'limit', (v) => take(v, isLimit)) ?? DEFAULT_LIMIT,
      reverse: option(value, 'reverse', (v) => take(v, isBoolean)) ?? false,
      lane: option(value, 'lane', (v) => take(v, isLane)),
      ids: option(value, 'id', (v) => list(v, isId)),
      froms: option(value, 'from', (v) => list(v, isId)),
      types: option(value, 'type', (v) => list(v, isTypeName)),
      seq: option(value, 'seq', numbers),
      time: option(value, 'timestamp', numbers),
      tags: option(value, 'tags', tagFilters),
    };
  } catch (error) {
    if (error === FAULT) return null;
    throw error;
  }
}

/** The filter that a Pull stands for: everything after a seq, in seq order; null if a parameter is out of range. */
export function pullFilter(afterSeq: Json | undefined, limit: Json | undefined): Filter | null {
  if (afterSeq !== undefined && !isInteger(afterSeq, -1)) return null;
  if (limit !== undefined && !isLimit(limit)) return null;
  const seq = { values: [], from: (afterSeq ?? -1) + 1, to: MAX_INTEGER };
  return {
    limit: limit ?? DEFAULT_LIMIT,
    reverse: false,
    lane: null,
    ids: null,
    froms: null,
    types: null,
    seq,
    time: null,
    tags: null,
  };
}

function option<T>(filter: JsonObject, key: string, parse: (value: Json) => T): T | null {
  const value = filter.get(key);
  return value === undefined ? null : parse(value);
}

function take<T extends Json>(value: Json, is: (value: Json) => value is T): T {
  if (!is(value)) throw FAULT;
  return value;
}

function list<T extends Json>(value: Json, is: (value: Json) => value is T): T[] {
  const items = isArray(value) ? value : [value];
  if (items.length === 0 || items.length > MAX_FILTER_VALUES) throw FAULT;
  return items.map((item) => take(item, is));
}

function isId(value: Json): value is string {
  return isHex32(value);
}

function isBoolean(value: Json): value is boolean {
  return typeof value === 'boolean';
}

function isLimit(value: Json): value is number {
  return isInteger(value, 1, MAX_LIMIT);
}

function isLane(value: Json): value is number {
  return isInteger(value, 0, 0xffffffff);
}

function isPlace(value: Json): value is number {
  return isInteger(value);
}

function isAnyInteger(value: Json): value is number {
  return typeof value === 'number';
}

/** A value, a list, or {start_at|start_after, end_at|end_before} of which each half may be missing. */
function numbers(value: Json): NumberFilter {
  const open = { from: -MAX_INTEGER, to: MAX_INTEGER };
  if (!isObject(value)) return { values: list(value, isPlace), ...open };
  if (!hasOnly(value, RANGE_KEYS)) throw FAULT;
  const [startAt, startAfter, endAt, endBefore] = [...RANGE_KEYS].map((key) =>
    option(value, key, (v) => take(v, isAnyInteger)),
  );
  const from = either(startAt, startAfter, 1) ?? open.from;
  const to = either(endAt, endBefore, -1) ?? open.to;
  return { values: [], from, to };
}

function either(
  inclusive: number | null | undefined,
  exclusive: number | null | undefined,
  step: number,
): number | null {
  if (typeof inclusive === 'number' && typeof exclusive === 'number') throw FAULT;
  if (typeof exclusive === 'number') return exclusive + step;
  return inclusive ?? null;
}

function isTagText(value: Json): value is string {
  return isShort(value, MAX_TAG_BYTES);
}

function tagFilters(value: Json): TagFilter[] {
  if (!isObject(value) || value.size > MAX_FILTER_VALUES) throw FAULT;
  return [...value].map(([name, wanted]) => ({
    name: take(name, isTagText),
    values: wanted === true ? null : list(wanted, isTagText),
  }));
}

/** The payload of a Query or Pull (layout: kernel/kernel.ts). Lists keep their order, tag names that of the text. */
export function encodeFilter(f: Filter): Uint8Array {
  const ids = f.ids ?? [];
  const froms = f.froms ?? [];
  const types = f.types ?? [];
  const seqs = f.seq?.values ?? [];
  const times = f.time?.values ?? [];
  const packed = [...types.map(text), ...(f.tags ?? []).flatMap(packTag)];
  const length = HEAD + 32 * (ids.length + froms.length) + 8 * (seqs.length + times.length) + sum(packed);
  const out = new Uint8Array(pad8(length));
  const view = viewOf(out);
  view.setUint32(0, f.limit, true);
  out[4] = f.reverse ? 1 : 0;
  out[5] = presence(f);
  view.setUint32(8, f.lane ?? 0, true);
  for (const [i, count] of [ids, types, froms, seqs, times, f.tags ?? []].entries())
    view.setUint32(12 + 4 * i, count.length, true);
  setI64(view, 40, f.seq?.from ?? -MAX_INTEGER);
  setI64(view, 48, f.seq?.to ?? MAX_INTEGER);
  setI64(view, 56, f.time?.from ?? -MAX_INTEGER);
  setI64(view, 64, f.time?.to ?? MAX_INTEGER);
  let at = HEAD;
  for (const hex of [...ids, ...froms]) {
    out.set(unhex(hex), at);
    at += 32;
  }
  for (const n of [...seqs, ...times]) {
    setU64(view, at, n);
    at += 8;
  }
  for (const part of packed) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function presence(f: Filter): number {
  const flag = (there: unknown, bit: number): number => (there === null ? 0 : bit);
  return (
    flag(f.ids, FILTER_ID) |
    flag(f.seq, FILTER_SEQ) |
    flag(f.types, FILTER_TYPE) |
    flag(f.froms, FILTER_FROM) |
    flag(f.time, FILTER_TIME) |
    flag(f.tags, FILTER_TAGS) |
    flag(f.lane, FILTER_LANE)
  );
}

/** u16 length and UTF-8 bytes. */
function text(value: string): Uint8Array {
  const bytes = utf8(value);
  const out = new Uint8Array(2 + bytes.length);
  viewOf(out).setUint16(0, bytes.length, true);
  out.set(bytes, 2);
  return out;
}

function packTag(tag: TagFilter): Uint8Array[] {
  const name = utf8(tag.name);
  const out = new Uint8Array(4 + name.length);
  viewOf(out).setUint16(0, name.length, true);
  viewOf(out).setUint16(2, tag.values === null ? ANY_VALUE : tag.values.length, true);
  out.set(name, 4);
  return [out, ...(tag.values ?? []).map(text)];
}

function sum(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, part) => total + part.length, 0);
}

/** The filter of a payload that `encodeFilter` made. */
export function decodeFilter(payload: Uint8Array): Filter {
  const view = viewOf(payload);
  const present = payload[5] as number;
  const [ids, types, froms, seqs, times, tags] = [0, 1, 2, 3, 4, 5].map((i) => view.getUint32(12 + 4 * i, true)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  let at = HEAD;
  const bytes = (length: number): Uint8Array => {
    at += length;
    return payload.subarray(at - length, at);
  };
  const u16 = (): number => viewOf(bytes(2)).getUint16(0, true);
  const u64 = (): number => getU64(viewOf(bytes(8)), 0);
  const string = (length: number): string => fromUtf8(bytes(length)) ?? '';
  const repeat = <T>(count: number, read: () => T): T[] => Array.from({ length: count }, read);
  const idList = repeat(ids, () => toHex(bytes(32)));
  const fromList = repeat(froms, () => toHex(bytes(32)));
  const seqList = repeat(seqs, u64);
  const timeList = repeat(times, u64);
  const typeList = repeat(types, () => string(u16()));
  const tagList = repeat(tags, () => {
    const [length, count] = [u16(), u16()];
    const name = string(length);
    return { name, values: count === ANY_VALUE ? null : repeat(count, () => string(u16())) };
  });
  return {
    limit: view.getUint32(0, true),
    reverse: payload[4] === 1,
    lane: present & FILTER_LANE ? view.getUint32(8, true) : null,
    ids: present & FILTER_ID ? idList : null,
    froms: present & FILTER_FROM ? fromList : null,
    types: present & FILTER_TYPE ? typeList : null,
    seq: present & FILTER_SEQ ? { values: seqList, from: getI64(view, 40), to: getI64(view, 48) } : null,
    time: present & FILTER_TIME ? { values: timeList, from: getI64(view, 56), to: getI64(view, 64) } : null,
    tags: present & FILTER_TAGS ? tagList : null,
  };
}
