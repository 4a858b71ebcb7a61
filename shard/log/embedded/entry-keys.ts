import { readKeyInt, writeKeyInt } from '../bytes.ts';
import { KEY_PREFIX } from '../row-keys.ts';

/**
 * Keys of the rows, all big-endian so that byte order is number order. Every key of an enclave begins with its prefix
 * (row-keys.ts); the tables are databases of their own (store.ts).
 */
/** `entries`: prefix, first seq 8, ordinal 2 (closings-only batches before the events of that seq count up from 0). */
export const ENTRY_KEY = KEY_PREFIX + 10;
/** `due`: time 8, prefix. */
export const DUE_KEY = 8 + KEY_PREFIX;

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

export function dueKey(dueAt: number, prefix: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(DUE_KEY);
  writeKeyInt(bytes, dueAt, 0);
  bytes.set(prefix, 8);
  return bytes;
}
