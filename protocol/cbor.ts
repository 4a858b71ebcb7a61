import { compareBytes, fromUtf8, join, utf8, viewOf } from './bytes.ts';
import { isArray, isObject, type Json } from './json.ts';

/** What hash pre-images are made of: JSON values and byte strings (PROTOCOL §2). */
export type Cbor = Json | Uint8Array | readonly Cbor[] | CborMap;
export type CborMap = ReadonlyMap<string, Cbor>;

const UINT = 0;
const NINT = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;

/**
 * Deterministic CBOR (RFC 8949 §4.2.1): definite lengths, shortest heads, map keys sorted bytewise by their encoding.
 * Throws TypeError on a number that is no safe integer.
 */
export function encodeCbor(value: Cbor): Uint8Array {
  const parts: Uint8Array[] = [];
  write(value, parts);
  return join(parts);
}

function write(value: Cbor, parts: Uint8Array[]): void {
  if (value === null) parts.push(Uint8Array.of(NULL));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? TRUE : FALSE));
  else if (typeof value === 'number') parts.push(integer(value));
  else if (typeof value === 'string') {
    const text = utf8(value);
    parts.push(head(TEXT, text.length), text);
  } else if (value instanceof Uint8Array) parts.push(head(BYTES, value.length), value);
  else if (isArray(value as Json)) {
    const items = value as readonly Cbor[];
    parts.push(head(ARRAY, items.length));
    for (const item of items) write(item, parts);
  } else {
    const map = value as CborMap;
    parts.push(head(MAP, map.size));
    const rows = [...map].map(([key, item]) => ({ key: encodeCbor(key), item }));
    rows.sort((a, b) => compareBytes(a.key, b.key));
    for (const row of rows) {
      parts.push(row.key);
      write(row.item, parts);
    }
  }
}

function integer(n: number): Uint8Array {
  if (!Number.isSafeInteger(n)) throw new TypeError(`not a safe integer: ${n}`);
  return n >= 0 ? head(UINT, n) : head(NINT, -1 - n);
}

/** Major type and argument in the shortest form (RFC 8949 §3.1). */
function head(major: number, n: number): Uint8Array {
  const type = major << 5;
  if (n < 24) return Uint8Array.of(type | n);
  if (n < 0x100) return Uint8Array.of(type | 24, n);
  const width = n < 0x10000 ? 2 : n < 0x100000000 ? 4 : 8;
  const out = new Uint8Array(1 + width);
  const view = viewOf(out);
  out[0] = type | (width === 2 ? 25 : width === 4 ? 26 : 27);
  if (width === 2) view.setUint16(1, n);
  else if (width === 4) view.setUint32(1, n);
  else view.setBigUint64(1, BigInt(n));
  return out;
}

const DEPTH = 40;
const FAULT = new Error('not deterministic CBOR');

/**
 * The value of bytes that are exactly one deterministic encoding by `encodeCbor`, or undefined. Two different byte strings
 * never decode to equal values: so a raw key of the state tree has one form only (PROTOCOL §6).
 */
export function decodeCbor(bytes: Uint8Array): Cbor | undefined {
  try {
    const reader = new Reader(bytes);
    const value = reader.item(1);
    return reader.done ? value : undefined;
  } catch (error) {
    if (error === FAULT) return undefined;
    throw error;
  }
}

class Reader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  item(depth: number): Cbor {
    if (depth > DEPTH) throw FAULT;
    const initial = this.take(1)[0] as number;
    if (initial === FALSE) return false;
    if (initial === TRUE) return true;
    if (initial === NULL) return null;
    const n = this.argument(initial & 31);
    switch (initial >> 5) {
      case UINT:
        return n;
      case NINT:
        if (n === Number.MAX_SAFE_INTEGER) throw FAULT;
        return -1 - n;
      case BYTES:
        return this.take(n).slice();
      case TEXT:
        return this.text(n);
      case ARRAY: {
        const items: Cbor[] = [];
        for (let i = 0; i < n; i++) items.push(this.item(depth + 1));
        return items;
      }
      case MAP:
        return this.map(n, depth);
      default:
        throw FAULT;
    }
  }

  private map(n: number, depth: number): CborMap {
    const out = new Map<string, Cbor>();
    let previous: Uint8Array | null = null;
    for (let i = 0; i < n; i++) {
      const from = this.at;
      const key = this.item(depth + 1);
      if (typeof key !== 'string') throw FAULT;
      const encoded = this.bytes.subarray(from, this.at);
      if (previous !== null && compareBytes(previous, encoded) >= 0) throw FAULT;
      previous = encoded;
      out.set(key, this.item(depth + 1));
    }
    return out;
  }

  private text(n: number): string {
    const text = fromUtf8(this.take(n));
    if (text === null) throw FAULT;
    return text;
  }

  private argument(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw FAULT;
    const width = 1 << (info - 24);
    let n = 0;
    for (const byte of this.take(width)) n = n * 256 + byte;
    const least = info === 24 ? 24 : 2 ** (4 * width);
    if (n < least || n > Number.MAX_SAFE_INTEGER) throw FAULT;
    return n;
  }

  private take(n: number): Uint8Array {
    if (n > this.bytes.length - this.at) throw FAULT;
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }
}

/** Narrows a decoded value to an array. */
export function isCborArray(value: Cbor | undefined): value is readonly Cbor[] {
  return Array.isArray(value);
}

/** Narrows a decoded value to a map. */
export function isCborMap(value: Cbor | undefined): value is CborMap {
  return isObject(value as Json);
}
