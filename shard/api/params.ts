import { fromHex } from '../../protocol/hex.ts';

/** A hex32 out of a path or query; null if it is none. */
export const hex32 = (value: unknown): Uint8Array | null => (typeof value === 'string' ? fromHex(value, 32) : null);

export const hex64 = (value: unknown): Uint8Array | null => (typeof value === 'string' ? fromHex(value, 64) : null);

/** A non-negative integer out of a query string, −1 if absent, null if it is something else. */
export function queryInteger(value: unknown): number | null {
  if (value === undefined) return -1;
  if (typeof value !== 'string' || !/^(0|[1-9]\d{0,15})$/.test(value)) return null;
  const n = Number(value);
  return Number.isSafeInteger(n) ? n : null;
}
