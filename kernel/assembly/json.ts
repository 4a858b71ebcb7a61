/**
 * Strict JSON (PROTOCOL §1) over UTF-8 bytes, in one pass, onto a tape of 16-byte nodes. The source is read only, and
 * must stay where it is as long as nodes of it are used: nodes hold addresses into it.
 *
 * Node: 0 u8 kind, u24 children (array elements, object members)   4 u32 bytes of tape to the node behind this value
 *       8 u32 address and 12 u32 address of the end of a string's bytes (unescaped: strings with escapes are copied to
 *       the tape's own buffer); of an integer: 8 i64 value; of a container: its text in the source, brackets included.
 * An object's members are a string node (the key) and the value's node, in the order of the source.
 */
import { Buf, isText, same } from './memory';
import { sortedKey, sortEnd, sortKeys } from './json-sort';

export const NULL: u32 = 1;
export const FALSE: u32 = 2;
export const TRUE: u32 = 3;
export const INT: u32 = 4;
export const STRING: u32 = 5;
export const ARRAY: u32 = 6;
export const OBJECT: u32 = 7;

const NODE: usize = 16;
/** Nesting that is still allowed, the commit or request object being level 1 (PROTOCOL §1). */
export const MAX_DEPTH: i32 = 32;
const MAX_INT: u64 = 9007199254740991;

/** A parsed value; the root is `root(tape)`. Static tapes: `changetype<Tape>(memory.data(40, 8))`. */
// @ts-ignore: decorator
@unmanaged
export class Tape {
  nodesPtr: usize;
  nodesLen: usize;
  nodesCap: usize;
  textPtr: usize;
  textLen: usize;
  textCap: usize;
  /** address behind the value that was parsed last */
  parsed: usize;

  @inline
  get nodes(): Buf {
    return changetype<Buf>(changetype<usize>(this));
  }

  @inline
  get text(): Buf {
    return changetype<Buf>(changetype<usize>(this) + 12);
  }

  /** Gives memory back beyond what common values need. */
  trim(): void {
    this.nodes.trim(16384);
    this.text.trim(4096);
  }
}

/** Start of what is on the tape. */
// @ts-ignore: decorator
@inline
export function root(t: Tape): usize {
  return t.nodesPtr;
}

// @ts-ignore: decorator
@inline
export function kind(node: usize): u32 {
  return load<u8>(node);
}

/** Elements of an array, members of an object. */
// @ts-ignore: decorator
@inline
export function count(node: usize): u32 {
  return load<u32>(node) >> 8;
}

/** First element of an array; first key of an object (its value is `next` of it). Only if `count` > 0. */
// @ts-ignore: decorator
@inline
export function first(node: usize): usize {
  return node + NODE;
}

/** The node behind this value: the next element, the value of a key, or the next key. */
// @ts-ignore: decorator
@inline
export function next(node: usize): usize {
  return node + load<u32>(node, 4);
}

// @ts-ignore: decorator
@inline
export function intValue(node: usize): i64 {
  return load<i64>(node, 8);
}

/** Unescaped UTF-8 bytes of a string (or the text of a container). */
// @ts-ignore: decorator
@inline
export function strPtr(node: usize): usize {
  return load<u32>(node, 8);
}

// @ts-ignore: decorator
@inline
export function strLen(node: usize): usize {
  return load<u32>(node, 12) - load<u32>(node, 8);
}

/** Is this node a string that equals the ASCII literal? */
export function isString(node: usize, s: string): bool {
  return kind(node) == STRING && isText(strPtr(node), strLen(node), s);
}

/** The value of an object's member, or 0. */
export function field(object: usize, name: string): usize {
  let n = first(object);
  for (let i = count(object); i; i--) {
    const value = next(n);
    if (isText(strPtr(n), strLen(n), name)) return value;
    n = next(value);
  }
  return 0;
}

/** Element `i` of an array (walks). */
export function element(array: usize, i: u32): usize {
  let n = first(array);
  for (; i; i--) n = next(n);
  return n;
}

// ---- parsing

// @ts-ignore: decorator
@inline
function space(p: usize): usize {
  let c = <u32>load<u8>(p);
  while (c <= 0x20 && (c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09)) c = load<u8>(++p);
  return p;
}

/** Address of the next byte that a string can't simply contain: quote, backslash, control or non-ASCII. */
// @ts-ignore: decorator
@inline
function plain(p: usize): usize {
  while (true) {
    const v = v128.load(p);
    const m = i8x16.bitmask(
      v128.or(
        i8x16.lt_s(v, i8x16.splat(0x20)),
        v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))),
      ),
    );
    if (m) return p + ctz(m);
    p += 16;
  }
}

/** Length of the well-formed UTF-8 sequence at p whose lead byte is ≥ 0x80, or 0. */
export function utf8(p: usize): usize {
  const c = <u32>load<u8>(p);
  const c1 = <u32>load<u8>(p, 1);
  if (c < 0xc2 || (c1 & 0xc0) != 0x80) return 0;
  if (c < 0xe0) return 2;
  const c2 = <u32>load<u8>(p, 2);
  if ((c2 & 0xc0) != 0x80) return 0;
  if (c < 0xf0) return (c == 0xe0 && c1 < 0xa0) || (c == 0xed && c1 > 0x9f) ? 0 : 3;
  if ((load<u8>(p, 3) & 0xc0) != 0x80) return 0;
  if (c > 0xf4 || (c == 0xf0 && c1 < 0x90) || (c == 0xf4 && c1 > 0x8f)) return 0;
  return 4;
}

/** Four hex digits of either case, or 0x10000. */
function hex4(p: usize): u32 {
  let v: u32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const c = <u32>load<u8>(p + i);
    let d = c - 0x30;
    if (d > 9) {
      d = (c | 0x20) - 0x61;
      if (d > 5) return 0x10000;
      d += 10;
    }
    v = (v << 4) | d;
  }
  return v;
}

/** A string whose first backslash is at `p`: copies it, unescaped, to `out`. The closing quote's address, or 0. */
function escaped(start: usize, p: usize, out: usize): usize {
  memory.copy(out, start, p - start);
  out += p - start;
  while (true) {
    let c = <u32>load<u8>(p);
    if (c == 0x22) {
      unescapedEnd = out;
      return p;
    }
    if (c < 0x20) return 0;
    if (c >= 0x80) {
      const n = utf8(p);
      if (!n) return 0;
      memory.copy(out, p, n);
      out += n;
      p += n;
      continue;
    }
    if (c != 0x5c) {
      store<u8>(out++, c);
      p++;
      continue;
    }
    c = load<u8>(p, 1);
    p += 2;
    switch (c) {
      case 0x22:
      case 0x5c:
      case 0x2f:
        break;
      case 0x62:
        c = 8;
        break;
      case 0x66:
        c = 12;
        break;
      case 0x6e:
        c = 10;
        break;
      case 0x72:
        c = 13;
        break;
      case 0x74:
        c = 9;
        break;
      case 0x75: {
        c = hex4(p);
        if (c > 0xffff || (c & 0xfc00) == 0xdc00) return 0;
        p += 4;
        if ((c & 0xfc00) == 0xd800) {
          if (load<u16>(p) != 0x755c) return 0;
          const low = hex4(p + 2);
          if (low > 0xffff || (low & 0xfc00) != 0xdc00) return 0;
          p += 6;
          c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
        }
        if (c >= 0x10000) {
          store<u8>(out, 0xf0 | (c >> 18));
          store<u8>(out, 0x80 | ((c >> 12) & 63), 1);
          store<u8>(out, 0x80 | ((c >> 6) & 63), 2);
          store<u8>(out, 0x80 | (c & 63), 3);
          out += 4;
          continue;
        }
        if (c >= 0x800) {
          store<u8>(out, 0xe0 | (c >> 12));
          store<u8>(out, 0x80 | ((c >> 6) & 63), 1);
          store<u8>(out, 0x80 | (c & 63), 2);
          out += 3;
          continue;
        }
        if (c >= 0x80) {
          store<u8>(out, 0xc0 | (c >> 6));
          store<u8>(out, 0x80 | (c & 63), 1);
          out += 2;
          continue;
        }
        break;
      }
      default:
        return 0;
    }
    store<u8>(out++, c);
  }
}

let unescapedEnd: usize = 0;

/** The containers that are open: u32 tape offset of their node each. */
// @ts-ignore: decorator
@lazy
const OPEN: usize = memory.data(4 * 36, 8);

/**
 * Parses the value at `src` (white space around it is skipped) and leaves what comes behind it to the caller, at
 * `t.parsed`. `depth`: levels that are already open around it. False: not JSON as §1 wants it. The byte at src + len is
 * overwritten during the call and put back; 16 bytes behind the source must be readable.
 */
export function parseFirst(t: Tape, src: usize, len: usize, depth: i32): bool {
  const stop = src + len;
  const saved = load<u8>(stop);
  store<u8>(stop, 0);
  const ok = run(t, src, stop, MAX_DEPTH - depth);
  store<u8>(stop, saved);
  return ok;
}

/** Parses a whole text: one value, and nothing but white space behind it. */
export function parse(t: Tape, src: usize, len: usize, depth: i32): bool {
  if (!parseFirst(t, src, len, depth)) return false;
  let p = t.parsed;
  while (p < src + len) {
    const c = <u32>load<u8>(p++);
    if (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09) return false;
  }
  return true;
}

/** Reads the string whose opening quote is at `p` into `node`; the address behind its closing quote, or 0. */
function scanString(t: Tape, p: usize, stop: usize, node: usize): usize {
  const start = p + 1;
  p = plain(start);
  let c = <u32>load<u8>(p);
  while (c >= 0x80) {
    const n = utf8(p);
    if (!n) return 0;
    p = plain(p + n);
    c = load<u8>(p);
  }
  store<u32>(node, STRING);
  store<u32>(node, NODE, 4);
  if (c == 0x22) {
    store<u32>(node, start, 8);
    store<u32>(node, p, 12);
    return p + 1;
  }
  if (c != 0x5c) return 0;
  // What is unescaped is never longer than its source, so this buffer does not move during one parse.
  const text = t.text;
  if (!text.len) text.reserve(stop - start);
  const out = text.ptr + text.len;
  p = escaped(start, p, out);
  if (!p) return 0;
  store<u32>(node, out, 8);
  store<u32>(node, unescapedEnd, 12);
  text.end(unescapedEnd);
  return p + 1;
}

/** An integer at `p` into `node`; the address behind it, or 0. */
function integer(p: usize, node: usize): usize {
  let c = <u32>load<u8>(p);
  const negative = c == 0x2d;
  if (negative) c = load<u8>(++p);
  let d = c - 0x30;
  if (d > 9) return 0;
  const start = p++;
  let v: u64 = d;
  if (d) {
    while (true) {
      d = <u32>load<u8>(p) - 0x30;
      if (d > 9) break;
      if (++p - start > 16) return 0;
      v = v * 10 + d;
    }
    if (v > MAX_INT) return 0;
  } else if (negative || <u32>load<u8>(p) - 0x30 <= 9) {
    return 0;
  }
  c = load<u8>(p);
  if (c == 0x2e || (c | 0x20) == 0x65) return 0;
  store<u32>(node, INT);
  store<u32>(node, NODE, 4);
  store<i64>(node, negative ? -(<i64>v) : <i64>v, 8);
  return p;
}

// @ts-ignore: decorator
@inline
function constant(node: usize, what: u32): void {
  store<u32>(node, what);
  store<u32>(node, NODE, 4);
  store<u64>(node, 0, 8);
}

/** `stop` holds a 0, which no rule accepts: that ends every loop. */
function run(t: Tape, p: usize, stop: usize, room: i32): bool {
  const nodes = t.nodes;
  nodes.clear();
  t.text.clear();
  let open = OPEN;
  const limit = OPEN + (<usize>room << 2);
  let object: bool = false;
  let container: usize = 0;
  while (true) {
    p = space(p);
    let node = nodes.reserve(NODE + NODE);
    if (object) {
      if (load<u8>(p) != 0x22) return false;
      p = scanString(t, p, stop, node);
      if (!p) return false;
      p = space(p);
      if (load<u8>(p) != 0x3a) return false;
      p = space(p + 1);
      node += NODE;
    }
    const c = <u32>load<u8>(p);
    nodes.end(node + NODE);
    if (c == 0x22) {
      p = scanString(t, p, stop, node);
      if (!p) return false;
    } else if (c == 0x7b || c == 0x5b) {
      if (open == limit) return false;
      object = c == 0x7b;
      container = node - nodes.ptr;
      store<u32>(node, object ? OBJECT : ARRAY);
      store<u32>(node, p, 8);
      store<u32>(open, container);
      open += 4;
      p = space(p + 1);
      if (load<u8>(p) != (object ? 0x7d : 0x5d)) {
        store<u32>(node, load<u32>(node) + 0x100);
        continue;
      }
    } else if (c == 0x74) {
      if (load<u32>(p) != 0x65757274) return false;
      p += 4;
      constant(node, TRUE);
    } else if (c == 0x66) {
      if (load<u32>(p, 1) != 0x65736c61) return false;
      p += 5;
      constant(node, FALSE);
    } else if (c == 0x6e) {
      if (load<u32>(p) != 0x6c6c756e) return false;
      p += 4;
      constant(node, NULL);
    } else {
      p = integer(p, node);
      if (!p) return false;
    }
    // Behind a value: on to the next one, or out of as many containers as end here.
    while (true) {
      if (open == OPEN) {
        t.parsed = p;
        return true;
      }
      p = space(p);
      const e = <u32>load<u8>(p++);
      node = nodes.ptr + container;
      if (e == 0x2c) {
        store<u32>(node, load<u32>(node) + 0x100);
        break;
      }
      if (e != (object ? 0x7d : 0x5d)) return false;
      store<u32>(node, nodes.len - container, 4);
      store<u32>(node, p, 12);
      if (object && !distinctKeys(node)) return false;
      open -= 4;
      if (open > OPEN) {
        container = load<u32>(open - 4);
        object = load<u8>(nodes.ptr + container) == OBJECT;
      }
    }
  }
}

// @ts-ignore: decorator
@lazy
const KEYS: usize = memory.data(8 * 16, 8);

/** No two keys of the object are equal. Sorts when there are many: hostile input can't make it quadratic. */
function distinctKeys(object: usize): bool {
  const n = count(object);
  if (n < 2) return true;
  if (n > 16) return sortedDistinct(object);
  let k = first(object);
  for (let i: usize = 0; i < n; i++) {
    const p = load<u32>(k, 8);
    const len = load<u32>(k, 12) - p;
    for (let j: usize = 0; j < i; j++) {
      const e = KEYS + (j << 3);
      if (load<u32>(e, 4) == len && same(load<u32>(e), p, len)) return false;
    }
    store<u32>(KEYS + (i << 3), p);
    store<u32>(KEYS + (i << 3), len, 4);
    k = next(next(k));
  }
  return true;
}

function sortedDistinct(object: usize): bool {
  const mark = sortKeys(object, false);
  const n = count(object);
  let ok: bool = true;
  for (let i: u32 = 1; i < n; i++) {
    const a = sortedKey(mark, i - 1);
    const b = sortedKey(mark, i);
    if (strLen(a) == strLen(b) && same(strPtr(a), strPtr(b), strLen(a))) {
      ok = false;
      break;
    }
  }
  sortEnd(mark);
  return ok;
}

/** White space is skipped; the address of what is not. */
export function skipSpace(p: usize): usize {
  return space(p);
}
