/** Small helpers over raw bytes. Nothing here throws on length mismatches unless said. */

export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 of a string without lone surrogates. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The string of strictly valid UTF-8 (no overlong forms, no surrogates; a BOM is kept), or null. */
export function fromUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return join(parts);
}

/** The same for lists of any length: spreading a hostile one over arguments would overflow the stack. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** 4 bytes big-endian; throws RangeError unless 0 ≤ n < 2^32. */
export function be32(n: number): Uint8Array {
  if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) throw new RangeError(`not a u32: ${n}`);
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, n);
  return out;
}

/** 8 bytes big-endian; throws RangeError unless 0 ≤ n ≤ 2^53−1. */
export function be64(n: number): Uint8Array {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`not a u64: ${n}`);
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(n));
  return out;
}

/** The u64 in the first 8 bytes, big-endian. */
export function readBe64(bytes: Uint8Array): bigint {
  return viewOf(bytes).getBigUint64(0);
}

/** Bytewise order, a prefix before its extension: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** A DataView over exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** n rounded up to a multiple of 8: records are padded so. */
export function pad8(n: number): number {
  return (n + 7) & ~7;
}
