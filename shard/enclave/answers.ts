import { errorBody, errorNumber } from '../../protocol/errors.ts';
import { LogDamaged, LogUnavailable } from '../log/log-errors.ts';

const FENCED = errorNumber('fenced');
const INTERNAL = errorNumber('internal');
const REGRESSED = errorNumber('enclave_regressed');
const UNAVAILABLE = errorNumber('unavailable');

const plain = new Map<number, Uint8Array>();

/** Error answer as JSON bytes (PROTOCOL §9). Those without detail are made once. */
export function errorBytes(code: number, detail = ''): Uint8Array {
  if (detail !== '') return Buffer.from(errorBody(code, detail));
  let bytes = plain.get(code);
  if (!bytes) {
    bytes = Buffer.from(errorBody(code));
    plain.set(code, bytes);
  }
  return bytes;
}

/** What a caller is told when an answer could not be made. */
export function failureCode(error: unknown): number {
  if (error instanceof LogDamaged) return REGRESSED;
  if (error instanceof LogUnavailable) return error.result === 'fenced' ? FENCED : UNAVAILABLE;
  return INTERNAL;
}
