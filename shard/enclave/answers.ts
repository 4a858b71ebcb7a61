import { errorBody } from '../../protocol/errors.ts';

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
