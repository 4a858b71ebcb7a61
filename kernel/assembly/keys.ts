import { cborBytes32, cborText } from './cbor';
import { copy32, putText, same32 } from './memory';
import { sha256 } from './sha256';

/**
 * Keys of the state tree (PROTOCOL §6): the namespace, then sha256(raw key)[0:20]. Each function writes 33 bytes, of
 * which the first 21 are the key.
 */
export const NAMESPACE_RBAC: u32 = 0;
export const NAMESPACE_STATUS: u32 = 1;
export const NAMESPACE_KV: u32 = 2;

/** Longest slot key, in bytes (PROTOCOL §5). */
export const MAX_SLOT_KEY: usize = 256;
/** A raw key of the KV namespace. */
const RAW: usize = memory.data(320, 8);

export function rawKey(namespace: u32, raw: usize, length: usize, out: usize): void {
  store<u8>(out, namespace);
  sha256(raw, length, out + 1);
}

/** Keys of identities seen lately: identity32, key21 (24), u32 1 if taken. Authors come back soon. */
const LATELY: usize = memory.data(64 * 64, 16);

/** An identity's leaf. */
export function rbacKey(identity: usize, out: usize): void {
  const entry = LATELY + (<usize>(load<u8>(identity, 8) & 63) << 6);
  if (!load<u32>(entry, 56) || !same32(entry, identity)) {
    rawKey(NAMESPACE_RBAC, identity, 32, out);
    copy32(entry, identity);
    memory.copy(entry + 32, out, 21);
    store<u32>(entry, 1, 56);
    return;
  }
  memory.copy(out, entry + 32, 21);
}

/** An event's status leaf. */
export function statusKey(id: usize, out: usize): void {
  rawKey(NAMESPACE_STATUS, id, 32, out);
}

function tagged(head: u32, kind: string): usize {
  store<u8>(RAW, head);
  store<u8>(RAW, 0x60 + kind.length, 1);
  return putText(RAW + 2, kind);
}

export function sharedKey(key: usize, length: usize, out: usize): void {
  rawKey(NAMESPACE_KV, RAW, cborText(tagged(0x82, 'shared'), key, length) - RAW, out);
}

export function ownKey(key: usize, length: usize, from: usize, out: usize): void {
  rawKey(NAMESPACE_KV, RAW, cborBytes32(cborText(tagged(0x83, 'own'), key, length), from) - RAW, out);
}

export function gateKey(alias: usize, length: usize, out: usize): void {
  rawKey(NAMESPACE_KV, RAW, cborText(tagged(0x82, 'gate'), alias, length) - RAW, out);
}

export function enclaveStatusKey(out: usize): void {
  rawKey(NAMESPACE_KV, RAW, tagged(0x81, 'status') - RAW, out);
}
