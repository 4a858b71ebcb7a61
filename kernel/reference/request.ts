import { REQUEST_PULL } from '../kernel.ts';
import { viewOf } from '../../protocol/bytes.ts';
import { getI64, getU64 } from '../../protocol/records.ts';

/** Views into an inspected request (layout: kernel/kernel.ts). */
export interface Request {
  readonly kind: number;
  readonly enclave: Uint8Array;
  readonly from: Uint8Array;
  readonly session: Uint8Array;
  readonly payload: Uint8Array;
  readonly pull: boolean;
}

export function readRequest(bytes: Uint8Array): Request {
  const kind = bytes[6] as number;
  return {
    kind,
    enclave: bytes.subarray(8, 40),
    from: bytes.subarray(40, 72),
    session: bytes.subarray(72, 140),
    payload: bytes.subarray(144, viewOf(bytes).getUint32(0, true)),
    pull: kind === REQUEST_PULL,
  };
}

export const BY_SEQ = 0;
export const BY_ID = 1;
export const BY_LEAF = 2;

/** Payload of Inclusion and Bundle. `ts` −1: not given. */
export function readPlace(payload: Uint8Array): { by: number; number: number; ts: number; id: Uint8Array } {
  const view = viewOf(payload);
  return {
    by: payload[0] as number,
    number: getU64(view, 8),
    ts: payload[1] === 1 ? getU64(view, 16) : -1,
    id: payload.subarray(24, 56),
  };
}

/** Payload of State and StateBatch. */
export function readKeys(payload: Uint8Array): { namespace: number; keys: Uint8Array[] } {
  const view = viewOf(payload);
  const keys: Uint8Array[] = [];
  let at = 8;
  for (let left = view.getUint32(4, true); left > 0; left--) {
    const length = view.getUint16(at, true);
    keys.push(payload.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return { namespace: payload[0] as number, keys };
}

/** Payload of a consistency request; −1 is absent. */
export function readSpan(payload: Uint8Array): { from: number; to: number } {
  const view = viewOf(payload);
  return { from: getI64(view, 0), to: getI64(view, 8) };
}
