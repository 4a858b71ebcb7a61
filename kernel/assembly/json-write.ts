/**
 * Values of a tape as canonical JSON (RFC 8785) and as deterministic CBOR (PROTOCOL §2). Like the CBOR writers, each
 * takes the address to write at and returns the address behind.
 */
import { ARRAY as CBOR_ARRAY, cborHead, cborInt, cborText, MAP } from './cbor';
import { ARRAY, count, FALSE, first, INT, intValue, kind, next, NULL, STRING, strLen, strPtr, TRUE } from './json';
import { sortedKey, sortEnd, sortKeys } from './json-sort';
import { putDecimal } from './memory';

/** Canonical JSON of a value. Never longer than the text it was parsed from (16 bytes behind that are scribbled on). */
export function writeJson(node: usize, p: usize): usize {
  switch (kind(node)) {
    case STRING:
      return writeString(p, strPtr(node), strLen(node));
    case INT:
      return putDecimal(p, intValue(node));
    case TRUE:
      store<u32>(p, 0x65757274);
      return p + 4;
    case FALSE:
      store<u8>(p, 0x66);
      store<u32>(p, 0x65736c61, 1);
      return p + 5;
    case NULL:
      store<u32>(p, 0x6c6c756e);
      return p + 4;
    case ARRAY: {
      store<u8>(p++, 0x5b);
      let n = first(node);
      for (let i = count(node); i; i--) {
        p = writeJson(n, p);
        n = next(n);
        if (i > 1) store<u8>(p++, 0x2c);
      }
      store<u8>(p, 0x5d);
      return p + 1;
    }
    default: {
      store<u8>(p++, 0x7b);
      const n = count(node);
      const mark = sortKeys(node, true);
      for (let i: u32 = 0; i < n; i++) {
        const key = sortedKey(mark, i);
        if (i) store<u8>(p++, 0x2c);
        p = writeString(p, strPtr(key), strLen(key));
        store<u8>(p, 0x3a);
        p = writeJson(next(key), p + 1);
      }
      sortEnd(mark);
      store<u8>(p, 0x7d);
      return p + 1;
    }
  }
}

/** UTF-8 bytes as a JSON string, quotes included: at most 6 × len + 2 bytes. */
export function writeString(p: usize, src: usize, len: usize): usize {
  store<u8>(p++, 0x22);
  const end = src + len;
  while (src < end) {
    const v = v128.load(src);
    v128.store(p, v);
    const m = i8x16.bitmask(
      v128.or(
        i8x16.lt_u(v, i8x16.splat(0x20)),
        v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))),
      ),
    );
    let n: usize = m ? <usize>ctz(m) : 16;
    if (src + n >= end) {
      p += end - src;
      break;
    }
    src += n;
    p += n;
    if (m) p = escape(p, load<u8>(src++));
  }
  store<u8>(p, 0x22);
  return p + 1;
}

function escape(p: usize, c: u32): usize {
  store<u8>(p, 0x5c);
  let short: u32 = 0;
  switch (c) {
    case 0x22:
    case 0x5c:
      short = c;
      break;
    case 8:
      short = 0x62;
      break;
    case 9:
      short = 0x74;
      break;
    case 10:
      short = 0x6e;
      break;
    case 12:
      short = 0x66;
      break;
    case 13:
      short = 0x72;
      break;
  }
  if (short) {
    store<u8>(p, short, 1);
    return p + 2;
  }
  store<u32>(p, 0x30303075, 1);
  store<u8>(p, 0x30 + (c >> 4), 4);
  const d = c & 15;
  store<u8>(p, d < 10 ? 0x30 + d : 0x57 + d, 5);
  return p + 6;
}

/** Deterministic CBOR of a value: less than twice the length of the text it was parsed from, + 16. */
export function writeCbor(node: usize, p: usize): usize {
  switch (kind(node)) {
    case STRING:
      return cborText(p, strPtr(node), strLen(node));
    case INT:
      return cborInt(p, intValue(node));
    case TRUE:
      store<u8>(p, 0xf5);
      return p + 1;
    case FALSE:
      store<u8>(p, 0xf4);
      return p + 1;
    case NULL:
      store<u8>(p, 0xf6);
      return p + 1;
    case ARRAY: {
      const n = count(node);
      p = cborHead(p, CBOR_ARRAY, n);
      let e = first(node);
      for (let i = n; i; i--) {
        p = writeCbor(e, p);
        e = next(e);
      }
      return p;
    }
    default:
      return writeCborMap(node, p, 0);
  }
}

/** The map of an object's members, less the one whose key node is `without` (0: none). */
export function writeCborMap(node: usize, p: usize, without: usize): usize {
  const n = count(node);
  p = cborHead(p, MAP, without ? n - 1 : n);
  const mark = sortKeys(node, false);
  for (let i: u32 = 0; i < n; i++) {
    const key = sortedKey(mark, i);
    if (key == without) continue;
    p = cborText(p, strPtr(key), strLen(key));
    p = writeCbor(next(key), p);
  }
  sortEnd(mark);
  return p;
}
