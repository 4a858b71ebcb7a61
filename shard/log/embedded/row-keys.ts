import { readKeyInt, writeKeyInt } from '../bytes.ts';
import type { LogKey } from '../enclave-log.ts';

/**
 * Keys of the rows, all big-endian so that byte order is number order. Every key of an enclave begins with
 * enclave32 lane4; the tables are databases of their own (store.ts).
 */
export const KEY_PREFIX = 36;
/** `entries`: prefix, first seq 8, ordinal 2 (closings-only batches before the events of that seq count up from 0). */
export const ENTRY_KEY = KEY_PREFIX + 10;
/** `closings`, `checkpoints`: prefix, number 8 (leaf index; head seq). */
export const NUMBER_KEY = KEY_PREFIX + 8;
/** `due`: time 8, prefix. */
export const DUE_KEY = 8 + KEY_PREFIX;

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

export function entryKey(prefix: Uint8Array, firstSeq: number, ordinal: number): Buffer {
  const bytes = Buffer.allocUnsafe(ENTRY_KEY);
  bytes.set(prefix, 0);
  writeKeyInt(bytes, firstSeq, KEY_PREFIX);
  bytes.writeUInt16BE(ordinal, KEY_PREFIX + 8);
  return bytes;
}

export function entryKeySeq(key: Buffer): number {
  return readKeyInt(key, KEY_PREFIX);
}

export function numberKey(prefix: Uint8Array, number: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_KEY);
  bytes.set(prefix, 0);
  writeKeyInt(bytes, number, KEY_PREFIX);
  return bytes;
}

export function dueKey(dueAt: number, prefix: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(DUE_KEY);
  writeKeyInt(bytes, dueAt, 0);
  bytes.set(prefix, 8);
  return bytes;
}
