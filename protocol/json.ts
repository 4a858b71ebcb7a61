import { fromUtf8 } from './bytes.ts';

/** A JSON value as PROTOCOL §1 allows it: integers only, objects as Map in document order (so no key is special). */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** Where a value's text stands: bytes start … end−1, without the white space around it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ParsedJson extends Span {
  readonly value: Json;
  /** of a top-level array: the text of each element */
  readonly elements: readonly Span[];
}

export const MAX_DEPTH = 32;

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/**
 * Parses strict JSON (PROTOCOL §1) out of UTF-8 bytes; null is `invalid_json`: invalid UTF-8, a BOM, duplicate keys, lone
 * surrogates, numbers that are no integers or beyond ±(2^53−1), nesting deeper than `maxDepth`, trailing bytes. A
 * top-level array is the wrapper of commits and does not count as a level; each of its elements starts at level 1.
 */
export function parseJson(bytes: Uint8Array, maxDepth: number = MAX_DEPTH): ParsedJson | null {
  if (fromUtf8(bytes) === null) return null;
  try {
    return new Parser(bytes, maxDepth).document();
  } catch (error) {
    if (error === FAULT) return null;
    throw error;
  }
}

const FAULT = new Error('invalid JSON');

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ESCAPES = new Map<number, string>([
  [QUOTE, '"'],
  [BACKSLASH, '\\'],
  [0x2f, '/'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

class Parser {
  private readonly bytes: Uint8Array;
  private readonly maxDepth: number;
  private at = 0;

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.bytes = bytes;
    this.maxDepth = maxDepth;
  }

  document(): ParsedJson {
    this.space();
    const start = this.at;
    const elements: Span[] = [];
    const value = this.peek() === 0x5b ? this.array(0, elements) : this.value(1);
    const end = this.at;
    this.space();
    if (this.at !== this.bytes.length) throw FAULT;
    return { value, start, end, elements };
  }

  private value(depth: number): Json {
    switch (this.peek()) {
      case 0x7b:
        return this.object(depth);
      case 0x5b:
        return this.array(depth, null);
      case QUOTE:
        return this.string();
      case 0x74:
        return this.word('true', true);
      case 0x66:
        return this.word('false', false);
      case 0x6e:
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(depth: number): JsonObject {
    if (depth > this.maxDepth) throw FAULT;
    const out = new Map<string, Json>();
    this.at++;
    this.space();
    if (this.take(0x7d)) return out;
    do {
      this.space();
      if (this.peek() !== QUOTE) throw FAULT;
      const key = this.string();
      if (out.has(key)) throw FAULT;
      this.space();
      this.expect(0x3a);
      this.space();
      out.set(key, this.value(depth + 1));
      this.space();
    } while (this.take(0x2c));
    this.expect(0x7d);
    return out;
  }

  private array(depth: number, spans: Span[] | null): readonly Json[] {
    if (depth > this.maxDepth) throw FAULT;
    const out: Json[] = [];
    this.at++;
    this.space();
    if (this.take(0x5d)) return out;
    do {
      this.space();
      const start = this.at;
      out.push(this.value(depth + 1));
      spans?.push({ start, end: this.at });
      this.space();
    } while (this.take(0x2c));
    this.expect(0x5d);
    return out;
  }

  private string(): string {
    let out = '';
    let from = ++this.at;
    for (;;) {
      const byte = this.peek();
      if (byte < 0x20) throw FAULT;
      if (byte !== QUOTE && byte !== BACKSLASH) {
        this.at++;
        continue;
      }
      out += fromUtf8(this.bytes.subarray(from, this.at));
      this.at++;
      if (byte === QUOTE) return out;
      out += this.escape();
      from = this.at;
    }
  }

  private escape(): string {
    const byte = this.peek();
    this.at++;
    if (byte !== 0x75) {
      const plain = ESCAPES.get(byte);
      if (plain === undefined) throw FAULT;
      return plain;
    }
    const high = this.unit();
    if (high < 0xd800 || high > 0xdfff) return String.fromCharCode(high);
    if (high > 0xdbff) throw FAULT;
    this.expect(BACKSLASH);
    this.expect(0x75);
    const low = this.unit();
    if (low < 0xdc00 || low > 0xdfff) throw FAULT;
    return String.fromCharCode(high, low);
  }

  /** Four hex digits, either case. */
  private unit(): number {
    let unit = 0;
    for (let i = 0; i < 4; i++) {
      const digit = Number.parseInt(String.fromCharCode(this.peek()), 16);
      if (Number.isNaN(digit)) throw FAULT;
      unit = unit * 16 + digit;
      this.at++;
    }
    return unit;
  }

  /** -?(0|[1-9][0-9]*), no `-0`, |n| ≤ 2^53−1. A fraction or exponent is left over and fails as a trailing byte. */
  private number(): number {
    const negative = this.take(0x2d);
    const from = this.at;
    let n = 0;
    for (let byte = this.peek(); byte >= 0x30 && byte <= 0x39; byte = this.peek()) {
      n = n * 10 + (byte - 0x30);
      if (n > Number.MAX_SAFE_INTEGER) throw FAULT;
      this.at++;
    }
    const digits = this.at - from;
    if (digits === 0) throw FAULT;
    if (this.bytes[from] === 0x30 && (digits > 1 || negative)) throw FAULT;
    return negative ? -n : n;
  }

  private word<T>(text: string, value: T): T {
    for (let i = 0; i < text.length; i++) this.expect(text.charCodeAt(i));
    return value;
  }

  private space(): void {
    for (let byte = this.peek(); byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = this.peek())
      this.at++;
  }

  /** The next byte; −1 behind the end, which no rule takes. */
  private peek(): number {
    return this.bytes[this.at] ?? -1;
  }

  private take(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  private expect(byte: number): void {
    if (!this.take(byte)) throw FAULT;
  }
}

/** The value as RFC 8785 writes it, limited to integers: no white space, keys sorted by UTF-16 code unit. */
export function canonical(value: Json): string {
  if (isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const keys = [...value.keys()].sort(byCodeUnit);
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value.get(key) as Json)}`).join(',')}}`;
}

/** Order of RFC 8785 §3.2.3. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A plain JavaScript value (as written by hand or from JSON.parse) as Json; throws TypeError on what PROTOCOL §1 refuses. */
export function toJson(value: unknown): Json {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('a string with a lone surrogate');
    return value;
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new TypeError(`not an integer of JSON: ${value}`);
    return value;
  }
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [keyOf(key), toJson(item)]));
  if (typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return new Map(entries.map(([key, item]) => [keyOf(key), toJson(item)]));
  }
  throw new TypeError(`no JSON value: ${typeof value}`);
}

function keyOf(key: unknown): string {
  if (typeof key !== 'string' || !key.isWellFormed()) throw new TypeError('an object key that is no JSON string');
  return key;
}

/** The value with objects as null-prototype objects, for people who print it. `__proto__` is a key like any other. */
export function toPlain(value: Json): unknown {
  if (isArray(value)) return value.map(toPlain);
  if (!isObject(value)) return value;
  const out: Record<string, unknown> = Object.create(null);
  for (const [key, item] of value) out[key] = toPlain(item);
  return out;
}
