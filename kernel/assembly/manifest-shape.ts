import { opBit } from './columns';
import { isType, typeNumber } from './inspect-commit';
import { ARRAY, count, FALSE, field, first, INT, intValue, isString, kind, next, OBJECT, STRING, strLen, strPtr, TRUE } from './json';
import { Buf, putDecimal } from './memory';

/**
 * First pass over a Manifest: the shape of every value (PROTOCOL §4). Within an object the known keys come first, in the
 * order of §4, presence and shape of each, depth first; then unknown keys, the first in UTF-16 order. When a check
 * fails, `PATH` is the JSON Pointer of the fault.
 */
export const PATH = changetype<Buf>(memory.data(12, 8));

const MAX_ROWS: u32 = 1024;
const MAX_INIT: u32 = 4096;
const NO_MAX: u32 = 0xffffffff;

export function enter(key: string): usize {
  const at = PATH.len;
  PATH.u8(0x2f);
  PATH.text(key);
  return at;
}

export function enterIndex(i: u32): usize {
  const at = PATH.len;
  PATH.u8(0x2f);
  PATH.end(putDecimal(PATH.reserve(12), i));
  return at;
}

// @ts-ignore: decorator
@inline
export function leave(at: usize): void {
  PATH.len = at;
}

function required(from: usize, key: string, check: (value: usize) => bool): bool {
  const at = enter(key);
  const value = field(from, key);
  if (!value || !check(value)) return false;
  leave(at);
  return true;
}

function optional(from: usize, key: string, check: (value: usize) => bool): bool {
  const at = enter(key);
  const value = field(from, key);
  if (value && !check(value)) return false;
  leave(at);
  return true;
}

function list(value: usize, max: u32, check: (value: usize) => bool): bool {
  if (kind(value) != ARRAY || count(value) > max) return false;
  let element = first(value);
  for (let i: u32 = 0; i < count(value); i++) {
    const at = enterIndex(i);
    if (!check(element)) return false;
    leave(at);
    element = next(element);
  }
  return true;
}

/** Refuses the first key that `known` does not know. The content is canonical: its keys are in UTF-16 order. */
function onlyKeys(from: usize, known: (key: usize) => bool): bool {
  let key = first(from);
  for (let i = count(from); i; i--) {
    if (!known(key)) {
      PATH.u8(0x2f);
      pointerKey(strPtr(key), strLen(key));
      return false;
    }
    key = next(next(key));
  }
  return true;
}

/** A key as a reference token of a JSON Pointer. */
function pointerKey(key: usize, length: usize): void {
  for (let i: usize = 0; i < length; i++) {
    const c = <u32>load<u8>(key + i);
    if (c == 0x7e) PATH.text('~0');
    else if (c == 0x2f) PATH.text('~1');
    else PATH.u8(c);
  }
}

// ---- values

function text(value: usize): bool {
  return kind(value) == STRING;
}

function object(value: usize): bool {
  return kind(value) == OBJECT;
}

function texts(value: usize): bool {
  return list(value, NO_MAX, text);
}

function typeName(value: usize): bool {
  return text(value) && isType(strPtr(value), strLen(value));
}

/** A letter between `from` and `from` + 25, then at most 63 of those letters, digits and `_`; the length it has. */
function word(p: usize, length: usize, from: u32): usize {
  if (!length || <u32>load<u8>(p) - from > 25) return 0;
  let i: usize = 1;
  for (; i < length && i < 65; i++) {
    const c = <u32>load<u8>(p + i);
    if (!(c - from < 26 || c - 0x30 < 10 || c == 0x5f)) break;
  }
  return i;
}

function stateName(value: usize): bool {
  if (!text(value)) return false;
  const length = strLen(value);
  return length <= 64 && length > 0 && word(strPtr(value), length, 0x41) == length;
}

/** Length of the bare name in `name(rank)`, 0 if it is not that. */
export function traitName(p: usize, length: usize): usize {
  const n = word(p, length, 0x61);
  const digits = length - n - 2;
  if (!n || n > 64 || length < n + 3 || digits > 9 || load<u8>(p + n) != 0x28 || load<u8>(p + length - 1) != 0x29) return 0;
  if (digits > 1 && load<u8>(p + n + 1) == 0x30) return 0;
  for (let i: usize = 1; i <= digits; i++) if (<u32>load<u8>(p + n + i) - 0x30 > 9) return 0;
  return n;
}

function trait(value: usize): bool {
  return text(value) && traitName(strPtr(value), strLen(value)) != 0;
}

export function isHex32(value: usize): bool {
  if (!text(value) || strLen(value) != 64) return false;
  const p = strPtr(value);
  for (let i: usize = 0; i < 64; i++) {
    const c = <u32>load<u8>(p + i);
    if (c - 0x30 > 9 && c - 0x61 > 5) return false;
  }
  return true;
}

function onlyC(value: usize): bool {
  return list(value, NO_MAX, letterC) && count(value) == 1;
}

function letterC(value: usize): bool {
  return isString(value, 'C');
}

function op(value: usize): bool {
  return text(value) && opBit(strPtr(value), strLen(value)) != 0;
}

function ops(value: usize): bool {
  return list(value, NO_MAX, op);
}

function boolean(value: usize): bool {
  return kind(value) == TRUE || kind(value) == FALSE;
}

// ---- the Manifest

export function manifestShape(content: usize): bool {
  PATH.clear();
  return object(content) && required(content, 'enc_v', version) && optional(content, 'nonce', text)
    && optional(content, 'bundle', bundle) && optional(content, 'sequencer', isHex32) && required(content, 'RBAC', rbac)
    && onlyKeys(content, manifestKey);
}

function manifestKey(key: usize): bool {
  return isString(key, 'enc_v') || isString(key, 'nonce') || isString(key, 'bundle') || isString(key, 'sequencer')
    || isString(key, 'meta') || isString(key, 'RBAC');
}

function version(value: usize): bool {
  return kind(value) == INT && intValue(value) == 2;
}

function bundle(value: usize): bool {
  return object(value) && optional(value, 'size', bundleSize) && optional(value, 'timeout', bundleTimeout)
    && onlyKeys(value, bundleKey);
}

function bundleKey(key: usize): bool {
  return isString(key, 'size') || isString(key, 'timeout');
}

function bundleSize(value: usize): bool {
  return kind(value) == INT && intValue(value) >= 1 && intValue(value) <= 4096;
}

function bundleTimeout(value: usize): bool {
  return kind(value) == INT && intValue(value) >= 100 && intValue(value) <= 600_000;
}

function rbac(value: usize): bool {
  return object(value) && optional(value, 'states', states) && optional(value, 'traits', traits)
    && optional(value, 'readers', readers) && optional(value, 'moves', moves) && optional(value, 'grants', grants)
    && optional(value, 'transfers', grants) && optional(value, 'slots', slots) && optional(value, 'lifecycle', lifecycles)
    && optional(value, 'customs', customs) && optional(value, 'init', inits) && onlyKeys(value, rbacKey);
}

function rbacKey(key: usize): bool {
  return isString(key, 'states') || isString(key, 'traits') || isString(key, 'readers') || isString(key, 'moves')
    || isString(key, 'grants') || isString(key, 'transfers') || isString(key, 'slots') || isString(key, 'lifecycle')
    || isString(key, 'customs') || isString(key, 'init');
}

function states(value: usize): bool {
  return list(value, 255, stateName);
}

function traits(value: usize): bool {
  return list(value, 24, trait);
}

function readers(value: usize): bool {
  return list(value, MAX_ROWS, reader);
}

function reader(value: usize): bool {
  return object(value) && required(value, 'type', text) && required(value, 'reads', reads)
    && optional(value, 'retention', retention) && onlyKeys(value, readerKey);
}

function readerKey(key: usize): bool {
  return isString(key, 'type') || isString(key, 'reads') || isString(key, 'retention');
}

function reads(value: usize): bool {
  return isString(value, '*') || list(value, NO_MAX, typeName);
}

function retention(value: usize): bool {
  return isString(value, 'current') || isString(value, 'snapshot');
}

function moves(value: usize): bool {
  return list(value, MAX_ROWS, move);
}

function move(value: usize): bool {
  return object(value) && required(value, 'event', moveEvent) && required(value, 'from', text) && required(value, 'to', text)
    && required(value, 'operator', text) && required(value, 'ops', onlyC) && gating(value) && onlyKeys(value, moveKey);
}

function moveKey(key: usize): bool {
  return isString(key, 'event') || isString(key, 'from') || isString(key, 'to') || isString(key, 'operator')
    || isString(key, 'ops') || isString(key, 'alias') || isString(key, 'gate');
}

function moveEvent(value: usize): bool {
  return isString(value, 'Move');
}

function gating(row: usize): bool {
  return optional(row, 'alias', typeName) && optional(row, 'gate', gate);
}

function gate(value: usize): bool {
  return object(value) && required(value, 'operator', texts) && optional(value, 'open', boolean) && onlyKeys(value, gateKey);
}

function gateKey(key: usize): bool {
  return isString(key, 'operator') || isString(key, 'open');
}

function grants(value: usize): bool {
  return list(value, MAX_ROWS, grant);
}

function grant(value: usize): bool {
  return object(value) && required(value, 'event', grantEvent) && required(value, 'operator', texts)
    && required(value, 'scope', texts) && required(value, 'trait', texts) && onlyKeys(value, grantKey);
}

function grantKey(key: usize): bool {
  return isString(key, 'event') || isString(key, 'operator') || isString(key, 'scope') || isString(key, 'trait');
}

function grantEvent(value: usize): bool {
  return isString(value, 'Grant') || isString(value, 'Revoke') || isString(value, 'Transfer');
}

function slots(value: usize): bool {
  return list(value, MAX_ROWS, slot);
}

function slot(value: usize): bool {
  return object(value) && required(value, 'event', slotEvent) && required(value, 'operator', text)
    && required(value, 'ops', ops) && required(value, 'key', slotKeyName) && onlyKeys(value, slotKey);
}

function slotKey(key: usize): bool {
  return isString(key, 'event') || isString(key, 'operator') || isString(key, 'ops') || isString(key, 'key');
}

function slotEvent(value: usize): bool {
  return isString(value, 'Shared') || isString(value, 'Own');
}

function slotKeyName(value: usize): bool {
  return text(value) && strLen(value) - 1 < 256;
}

function lifecycles(value: usize): bool {
  return list(value, MAX_ROWS, lifecycle);
}

function lifecycle(value: usize): bool {
  return object(value) && required(value, 'event', lifecycleEvent) && required(value, 'operator', text)
    && required(value, 'ops', onlyC) && onlyKeys(value, lifecycleKey);
}

function lifecycleKey(key: usize): bool {
  return isString(key, 'event') || isString(key, 'operator') || isString(key, 'ops');
}

function lifecycleEvent(value: usize): bool {
  return isString(value, 'Pause') || isString(value, 'Resume') || isString(value, 'Terminate') || isString(value, 'Migrate');
}

function customs(value: usize): bool {
  return list(value, MAX_ROWS, custom);
}

function custom(value: usize): bool {
  return object(value) && required(value, 'event', customEvent) && required(value, 'operator', text)
    && required(value, 'ops', ops) && gating(value) && onlyKeys(value, customKey);
}

function customKey(key: usize): bool {
  return isString(key, 'event') || isString(key, 'operator') || isString(key, 'ops') || isString(key, 'alias')
    || isString(key, 'gate');
}

function customEvent(value: usize): bool {
  return typeName(value) && typeNumber(strPtr(value), strLen(value)) == 0;
}

function inits(value: usize): bool {
  return list(value, MAX_INIT, init);
}

function init(value: usize): bool {
  return object(value) && required(value, 'identity', isHex32) && required(value, 'state', text)
    && required(value, 'traits', texts) && onlyKeys(value, initKey);
}

function initKey(key: usize): bool {
  return isString(key, 'identity') || isString(key, 'state') || isString(key, 'traits');
}
