import { writeKeyInt } from './bytes.ts';
import type { LogKey } from './enclave-log.ts';

/** Keys that every back end has in common; big-endian so that byte order is number order: enclave32 lane4. */
export const KEY_PREFIX = 36;
/** Closings, checkpoints: prefix, number 8 (leaf index; head seq). */
export const NUMBER_KEY = KEY_PREFIX + 8;

export function prefixOf(key: LogKey): Buffer {
  const bytes = Buffer.allocUnsafe(KEY_PREFIX);
  bytes.set(key.enclave, 0);
  bytes.writeUInt32BE(key.lane, 32);
  return bytes;
}

/** The key an owner-independent row belongs to; bytes are copied. */
export function keyOf(bytes: Uint8Array, at: number): LogKey {
  const prefix = Buffer.from(bytes.subarray(at, at + KEY_PREFIX));
  return { enclave: new Uint8Array(prefix.subarray(0, 32)), lane: prefix.readUInt32BE(32) };
}

/** The prefix as a name for maps. */
export function nameOf(key: LogKey): string {
  return prefixOf(key).toString('latin1');
}

export function numberKey(prefix: Uint8Array, number: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_KEY);
  bytes.set(prefix, 0);
  writeKeyInt(bytes, number, KEY_PREFIX);
  return bytes;
}
