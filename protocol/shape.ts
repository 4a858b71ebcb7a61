import { utf8 } from './bytes.ts';
import type { Tags } from './hash.ts';
import { isArray, type Json, type JsonObject } from './json.ts';
import { MAX_TAG_BYTES, MAX_TAG_STRINGS, MAX_TAGS, TYPE_PATTERN } from './limits.ts';

/** Shape checks that commits, events, requests and filters share. */

/** 1–64 of A-Za-z0-9_.:- (PROTOCOL §3). */
export function isTypeName(value: Json | undefined): value is string {
  return typeof value === 'string' && TYPE_PATTERN.test(value);
}

/** An integer in min … max. */
export function isInteger(value: Json | undefined, min = 0, max: number = Number.MAX_SAFE_INTEGER): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

/** A string of at most `max` bytes of UTF-8. */
export function isShort(value: Json | undefined, max: number): value is string {
  return typeof value === 'string' && utf8(value).length <= max;
}

/** ≤ 32 arrays of 1–8 strings, each ≤ 256 bytes of UTF-8 (PROTOCOL §3). */
export function isTags(value: Json | undefined): value is Tags {
  return isArray(value) && value.length <= MAX_TAGS && value.every(isTag);
}

function isTag(value: Json): boolean {
  return (
    isArray(value) &&
    value.length >= 1 &&
    value.length <= MAX_TAG_STRINGS &&
    value.every((text) => isShort(text, MAX_TAG_BYTES))
  );
}

/** Has it no keys but these? */
export function hasOnly(object: JsonObject, keys: ReadonlySet<string>): boolean {
  for (const key of object.keys()) if (!keys.has(key)) return false;
  return true;
}
