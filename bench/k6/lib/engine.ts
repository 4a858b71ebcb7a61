/**
 * What `protocol/` and noble need and k6's JavaScript engine (Sobek) lacks. Loaded before them in lib/protocol.js; where
 * the engine has it, nothing is touched.
 */

class Utf8Encoder {
  encode(text: string): Uint8Array {
    const bytes = encodeURIComponent(text).replace(/%([0-9A-F]{2})/g, (_all, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    const out = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) out[i] = bytes.charCodeAt(i);
    return out;
  }
}

class Utf8Decoder {
  /** Throws URIError on what is not strict UTF-8. */
  decode(bytes: Uint8Array): string {
    let escaped = '';
    for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, '0')}`;
    return decodeURIComponent(escaped);
  }
}

const lacking: { TextEncoder?: unknown; TextDecoder?: unknown } = globalThis;
lacking.TextEncoder ??= Utf8Encoder;
lacking.TextDecoder ??= Utf8Decoder;

// ES2024.
String.prototype.isWellFormed ??= function isWellFormed(this: string): boolean {
  try {
    encodeURIComponent(this);
    return true;
  } catch {
    return false;
  }
};

// Sobek takes no string here, though a string is iterable: noble makes the tags of BIP-340 so.
try {
  Uint8Array.from('' as never);
} catch {
  const from = Uint8Array.from as (...args: unknown[]) => Uint8Array;
  Uint8Array.from = function fromIterable(this: unknown, source: unknown, ...rest: unknown[]) {
    return from.call(this, typeof source === 'string' ? Array.from(source) : source, ...rest);
  } as typeof Uint8Array.from;
}
