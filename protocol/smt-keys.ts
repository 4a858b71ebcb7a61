import { concat, utf8 } from './bytes.ts';
import { type Cbor, decodeCbor, encodeCbor, isCborArray } from './cbor.ts';
import { sha256 } from './hash.ts';
import { MAX_SLOT_KEY_BYTES, TYPE_PATTERN } from './limits.ts';
import { SMT_KEY_BYTES } from './smt.ts';

/** Keys and small values of the state tree (PROTOCOL §6). All other namespaces must never be written. */
export const NAMESPACE_RBAC = 0;
export const NAMESPACE_STATUS = 1;
export const NAMESPACE_KV = 2;
/** Names of the namespaces in requests, by number. */
export const NAMESPACES = ['rbac', 'event_status', 'kv'] as const;

export type Namespace = 0 | 1 | 2;

/** 21 bytes: the namespace, then sha256(raw key)[0:20]. RBAC: raw = identity; status: raw = event id. */
export function smtKey(namespace: Namespace, raw: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(namespace), sha256(raw)).slice(0, SMT_KEY_BYTES);
}

/** A key of the KV namespace before it is encoded. */
export type KvKey =
  | { readonly kind: 'shared'; readonly key: string }
  | { readonly kind: 'own'; readonly key: string; readonly from: Uint8Array }
  | { readonly kind: 'gate'; readonly alias: string }
  | { readonly kind: 'status' };

/** The raw key: one of the four CBOR forms of PROTOCOL §6. */
export function encodeKvKey(key: KvKey): Uint8Array {
  switch (key.kind) {
    case 'shared':
      return encodeCbor(['shared', key.key]);
    case 'own':
      return encodeCbor(['own', key.key, key.from]);
    case 'gate':
      return encodeCbor(['gate', key.alias]);
    case 'status':
      return encodeCbor(['status']);
  }
}

/** The key of raw bytes that are exactly one of the four forms, with a slot key of 1–256 bytes or an alias; else null. */
export function decodeKvKey(raw: Uint8Array): KvKey | null {
  const value = decodeCbor(raw);
  if (!isCborArray(value)) return null;
  const [kind, name, from] = value;
  if (kind === 'status') return value.length === 1 ? { kind } : null;
  if (kind === 'gate')
    return value.length === 2 && typeof name === 'string' && TYPE_PATTERN.test(name) ? { kind, alias: name } : null;
  if (!isSlotKey(name)) return null;
  if (kind === 'shared') return value.length === 2 ? { kind, key: name } : null;
  if (kind === 'own')
    return value.length === 3 && from instanceof Uint8Array && from.length === 32 ? { kind, key: name, from } : null;
  return null;
}

function isSlotKey(value: Cbor | undefined): value is string {
  return typeof value === 'string' && value.length > 0 && utf8(value).length <= MAX_SLOT_KEY_BYTES;
}

/** A small number as a leaf's value: 32 bytes big-endian (bitmask, gate 0/1, enclave status 1 paused 2 terminated 3 migrated). */
export function smtNumber(n: number): Uint8Array {
  const out = new Uint8Array(32);
  new DataView(out.buffer).setUint32(28, n);
  return out;
}
