import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { be32, be64, concat, utf8 } from './bytes.ts';
import { type Cbor, encodeCbor } from './cbor.ts';
import { isObject, type Json } from './json.ts';

/** Every hash of PROTOCOL §2–§9. All arguments and results are raw bytes; 32 bytes unless said. */

export const PREFIX_BUNDLE_NODE = 0x01;
export const PREFIX_COMMIT = 0x10;
export const PREFIX_EVENT = 0x11;
export const PREFIX_ENCLAVE = 0x12;
export const PREFIX_LANE = 0x13;
export const PREFIX_EVENT_ID = 0x14;
export const PREFIX_LANE_EVENT = 0x15;
export const PREFIX_KEY_SEED = 0x16;
export const PREFIX_SMT_LEAF = 0x20;
export const PREFIX_SMT_NODE = 0x21;

export type Tags = readonly (readonly string[])[];

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return nobleSha256(parts.length === 1 ? (parts[0] as Uint8Array) : concat(...parts));
}

/** sha256(""): an empty subtree of the state tree, and the root of an empty CT log. */
export const EMPTY_HASH: Uint8Array = sha256(new Uint8Array(0));
export const ZERO32: Uint8Array = new Uint8Array(32);
export const ZERO64: Uint8Array = new Uint8Array(64);

/** sha256(CBOR([prefix, f1, …])) (PROTOCOL §2). */
export function H(prefix: number, ...fields: readonly Cbor[]): Uint8Array {
  return sha256(encodeCbor([prefix, ...fields]));
}

export function contentHash(content: Json): Uint8Array {
  return sha256(encodeCbor(content));
}

export interface CommitPreimage {
  readonly enclave: Uint8Array;
  readonly from: Uint8Array;
  readonly type: string;
  readonly contentHash: Uint8Array;
  readonly exp: number;
  /** [] when the commit has none */
  readonly tags: Tags;
}

export function commitHash(c: CommitPreimage): Uint8Array {
  return H(PREFIX_COMMIT, c.enclave, c.from, c.type, c.contentHash, c.exp, c.tags);
}

/** What the sequencer signs in the control lane (lane 0). `sig` has 64 bytes. */
export function eventHash(
  hash: Uint8Array,
  sig: Uint8Array,
  sequencer: Uint8Array,
  seq: number,
  timestamp: number,
): Uint8Array {
  return H(PREFIX_EVENT, hash, sig, sequencer, seq, timestamp);
}

/** What the sequencer signs in lanes ≥ 1 (PROTOCOL §12). */
export function laneEventHash(
  hash: Uint8Array,
  sig: Uint8Array,
  sequencer: Uint8Array,
  lane: number,
  seq: number,
  ctl: number,
  timestamp: number,
): Uint8Array {
  return H(PREFIX_LANE_EVENT, hash, sig, sequencer, lane, seq, ctl, timestamp);
}

export function eventId(eventHashBytes: Uint8Array, seqSig: Uint8Array): Uint8Array {
  return H(PREFIX_EVENT_ID, eventHashBytes, seqSig);
}

/** Id of the enclave that a Manifest commit founds (PROTOCOL §3). */
export function enclaveId(from: Uint8Array, manifestContentHash: Uint8Array, tags: Tags): Uint8Array {
  return H(PREFIX_ENCLAVE, from, 'Manifest', manifestContentHash, tags);
}

export function laneId(enclave: Uint8Array, lane: number): Uint8Array {
  return H(PREFIX_LANE, enclave, lane);
}

/** H(0x16, …) of a Manifest: what its sequencer key derives from, whatever `content.sequencer` says (PROTOCOL §3). */
export function keySeed(from: Uint8Array, content: Json, tags: Tags): Uint8Array {
  return H(PREFIX_KEY_SEED, from, contentHash(withoutSequencer(content)), tags);
}

function withoutSequencer(content: Json): Json {
  if (!isObject(content)) return content;
  const rest = new Map(content);
  rest.delete('sequencer');
  return rest;
}

/** Order n of secp256k1. */
export const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** The sequencer secret of a key seed: int(HKDF-SHA256(master, "", "enc:sequencer:" || seed, 48)) mod (n−1) + 1. */
export function sequencerSecret(master: Uint8Array, seed: Uint8Array): Uint8Array {
  const wide = hkdf(nobleSha256, master, new Uint8Array(0), concat(utf8('enc:sequencer:'), seed), 48);
  let scalar = 0n;
  for (const byte of wide) scalar = (scalar << 8n) | BigInt(byte);
  scalar = (scalar % (CURVE_ORDER - 1n)) + 1n;
  const out = new Uint8Array(32);
  for (let i = 31; i >= 0; i--, scalar >>= 8n) out[i] = Number(scalar & 0xffn);
  return out;
}

/** `key` has 21 bytes (PROTOCOL §6). */
export function smtLeaf(key: Uint8Array, value: Uint8Array): Uint8Array {
  return H(PREFIX_SMT_LEAF, key, value);
}

export function smtNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return H(PREFIX_SMT_NODE, left, right);
}

/** Inner node of a bundle's tree over event ids (PROTOCOL §7). */
export function bundleNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return H(PREFIX_BUNDLE_NODE, left, right);
}

const CT_LEAF = Uint8Array.of(0);
const CT_NODE = Uint8Array.of(1);

/** RFC 9162 §2.1.1 leaf hash over raw data of any length. */
export function ctLeaf(data: Uint8Array): Uint8Array {
  return sha256(CT_LEAF, data);
}

/** RFC 9162 §2.1.1 inner node. */
export function ctNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(CT_NODE, left, right);
}

/** The 76 bytes of a closed bundle in the CT log (PROTOCOL §7). */
export function ctLeafData(
  eventsRoot: Uint8Array,
  stateHash: Uint8Array,
  firstSeq: number,
  bundleSize: number,
): Uint8Array {
  return concat(eventsRoot, stateHash, be64(firstSeq), be32(bundleSize));
}

/** What a tree head's signature is over (PROTOCOL §7). */
export function sthMessage(enclave: Uint8Array, t: number, ts: number, r: Uint8Array): Uint8Array {
  return sha256(utf8('enc:sth:'), enclave, be64(t), be64(ts), r);
}

/** What a plain session token signs (PROTOCOL §8). `expires` in seconds. */
export function sessionPlainMessage(sequencer: Uint8Array, expires: number): Uint8Array {
  return sha256(utf8('enc:session:plain:'), sequencer, be32(expires));
}

/** chain_n = sha256(chain_{n−1} || id_n); chain_{−1} = enclave id (ARCHITECTURE §3). */
export function chainStep(chain: Uint8Array, id: Uint8Array): Uint8Array {
  return sha256(chain, id);
}
