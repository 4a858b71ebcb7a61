import { bytesToHex } from '@noble/hashes/utils.js';

declare const brand: unique symbol;
/** A string of a kind: made by a check or a hash, never by hand. */
export type Branded<T extends string> = string & { readonly [brand]: T };

/** 64 lower-case hex digits; what kind of 32 bytes is in the name. */
export type Hash32 = Branded<'Hash32'>;
export type EnclaveId = Branded<'EnclaveId'>;
export type EventId = Branded<'EventId'>;
/** x-only public key (BIP-340) of an identity or a sequencer */
export type PublicKey = Branded<'PublicKey'>;
/** 128 lower-case hex digits */
export type Signature = Branded<'Signature'>;

type Hex32 = Hash32 | EnclaveId | EventId | PublicKey;

const HEX = /^(?:[0-9a-f]{2})*$/;

/** Lower-case hex of even length to bytes, or null (PROTOCOL §1: upper case is rejected). `length`: bytes expected. */
export function fromHex(text: string, length?: number): Uint8Array | null {
  if (length !== undefined && text.length !== 2 * length) return null;
  if (!HEX.test(text)) return null;
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = digit(text, 2 * i) * 16 + digit(text, 2 * i + 1);
  return out;
}

function digit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 0x40 ? code - 0x30 : code - 0x57;
}

/** Bytes of a hex string that has been checked before; throws TypeError if it was not. */
export function unhex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === null) throw new TypeError('not lower-case hex');
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  return bytesToHex(bytes);
}

/** Hex of 32 raw bytes as the branded kind that the caller knows them to be; throws TypeError on another length. */
export function hex32<T extends Hex32>(bytes: Uint8Array): T {
  if (bytes.length !== 32) throw new TypeError(`32 bytes expected, not ${bytes.length}`);
  return toHex(bytes) as T;
}

/** Hex of a 64-byte signature; throws TypeError on another length. */
export function hex64(bytes: Uint8Array): Signature {
  if (bytes.length !== 64) throw new TypeError(`64 bytes expected, not ${bytes.length}`);
  return toHex(bytes) as Signature;
}

/** Is it a string of 64 lower-case hex digits? */
export function isHex32<T extends Hex32>(value: unknown): value is T {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** Is it a string of 128 lower-case hex digits? */
export function isHex64(value: unknown): value is Signature {
  return typeof value === 'string' && /^[0-9a-f]{128}$/.test(value);
}
