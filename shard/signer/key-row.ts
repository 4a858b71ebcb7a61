import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { MasterSecret } from './key-provider.ts';

/**
 * One row per enclave in keys/enclaves (key: enclave id):
 * u8 format = 1 | u8 kind (1 derived, 2 imported) | u8 has creator | u8 0 | u32 master version (BE) | public 32 |
 * creator 32 (zero if none) | derived: key seed 32; imported: nonce 12, tag 16, ciphertext 32.
 */
const FORMAT = 1;
const DERIVED = 1;
const IMPORTED = 2;
const AT_PUBLIC = 8;
const AT_CREATOR = 40;
const AT_SOURCE = 72;
const SEED_BYTES = 32;
const WRAPPED_BYTES = 60;

export type KeySource =
  | { readonly kind: 'derived'; readonly seed: Uint8Array }
  | { readonly kind: 'imported'; readonly wrapped: Uint8Array };

export interface KeyRow {
  /** of the master secret that derives, or wraps, this key */
  readonly version: number;
  readonly publicKey: Uint8Array;
  readonly creator: Uint8Array | null;
  readonly source: KeySource;
}

export function encodeKeyRow(row: KeyRow): Buffer {
  const source = row.source.kind === 'derived' ? row.source.seed : row.source.wrapped;
  const out = Buffer.alloc(AT_SOURCE + source.length);
  out[0] = FORMAT;
  out[1] = row.source.kind === 'derived' ? DERIVED : IMPORTED;
  out[2] = row.creator ? 1 : 0;
  out.writeUInt32BE(row.version, 4);
  out.set(row.publicKey, AT_PUBLIC);
  if (row.creator) out.set(row.creator, AT_CREATOR);
  out.set(source, AT_SOURCE);
  return out;
}

/** Copies out of `bytes`. Throws on rows of another format and on damage. */
export function decodeKeyRow(bytes: Uint8Array): KeyRow {
  const row = Buffer.from(bytes);
  if (row[0] !== FORMAT) throw new Error(`a key row of format ${row[0]} is not known to this version`);
  const derived = row[1] === DERIVED;
  if (row.length !== AT_SOURCE + (derived ? SEED_BYTES : WRAPPED_BYTES) || (!derived && row[1] !== IMPORTED)) {
    throw new Error('a row of the key store is damaged: put keys/ back from your backup');
  }
  const source = Uint8Array.from(row.subarray(AT_SOURCE));
  return {
    version: row.readUInt32BE(4),
    publicKey: Uint8Array.from(row.subarray(AT_PUBLIC, AT_CREATOR)),
    creator: row[2] === 1 ? Uint8Array.from(row.subarray(AT_CREATOR, AT_SOURCE)) : null,
    source: derived ? { kind: 'derived', seed: source } : { kind: 'imported', wrapped: source },
  };
}

const WRAP_INFO = 'enc:wrap:sequencer';

/** AES-256-GCM under a key of the master secret, with the enclave id as additional data: nonce 12, tag 16, ciphertext 32. */
export function wrapSecret(master: MasterSecret, enclave: Uint8Array, secret: Uint8Array): Uint8Array {
  const key = master.derive(WRAP_INFO);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  key.fill(0);
  cipher.setAAD(enclave);
  const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
  return Uint8Array.from(Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]));
}

/** Throws if the row was made under another master secret or for another enclave, or was changed. */
export function unwrapSecret(master: MasterSecret, enclave: Uint8Array, wrapped: Uint8Array): Uint8Array {
  const key = master.derive(WRAP_INFO);
  const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(0, 12));
  key.fill(0);
  decipher.setAAD(enclave);
  decipher.setAuthTag(wrapped.subarray(12, 28));
  const secret = decipher.update(wrapped.subarray(28));
  try {
    decipher.final();
  } catch {
    secret.fill(0);
    throw new Error('an imported key does not unwrap: keys/ holds rows of another master secret');
  }
  return secret;
}
