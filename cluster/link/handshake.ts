import { createHmac, timingSafeEqual } from 'node:crypto';
import { concat } from '../../protocol/bytes.ts';
import type { Topology } from '../topology/topology.ts';
import { MalformedFrame } from './frame-reader.ts';

/**
 * How both ends of a link prove to each other that they hold the cluster's secret, which never travels:
 *
 *   shard  → HELLO    "ENCL" u8 1, u8 lowest and u8 highest version, nonce_s 32
 *   router → PROOF    "ENCL" u8 2, u8 lowest and u8 highest version, u32 shard that it means, nonce_r 32,
 *                     HMAC(secret, "enc:link:router" || HELLO || what stands before in PROOF)
 *   shard  → WELCOME  "ENCL" u8 3, u8 version, u32 shard, u32 requests and u32 bytes that may be under way,
 *                     u32 topology version, u32 shards, u32 shards before, 16 bytes of this process, u32 length and text of `about`,
 *                     HMAC(secret, "enc:link:shard" || HELLO || PROOF || what stands before in WELCOME)
 *
 * The nonces make every proof good once; covering the offered versions, nobody can talk the two into an older one. What
 * follows is not sealed: where others can tamper with packets, the link runs over TLS (both certificates checked).
 */
export interface Versions {
  readonly min: number;
  readonly max: number;
}

/** What this program speaks; what is new in each version stands in records.ts. */
export const LINK_VERSIONS: Versions = { min: 1, max: 2 };
/** Since which requests may carry a trace context. */
export const TRACED_SINCE = 2;

export interface Hello {
  readonly versions: Versions;
  readonly nonce: Uint8Array;
}

export interface Proof {
  readonly versions: Versions;
  readonly shard: number;
  readonly nonce: Uint8Array;
}

export interface Welcome {
  readonly version: number;
  readonly shard: number;
  /** requests that may be under way at once, and bytes of their bodies */
  readonly maxRequests: number;
  readonly maxBytes: number;
  readonly topology: Topology;
  /** random name of the shard's process, 16 bytes */
  readonly process: Uint8Array;
  /** members of GET / */
  readonly about: string;
}

const MAGIC = Buffer.from('ENCL');
const MAC = 32;
const HELLO_BYTES = 4 + 3 + 32;
const PROOF_BYTES = 4 + 3 + 4 + 32 + MAC;
const WELCOME_HEAD = 4 + 2 + 24 + 16 + 4;
const MAX_ABOUT = 64 * 1024;

/** The highest version that both speak, 0 if there is none. */
export function commonVersion(a: Versions, b: Versions): number {
  const version = Math.min(a.max, b.max);
  return version >= Math.max(a.min, b.min) ? version : 0;
}

export function encodeHello({ versions, nonce }: Hello): Buffer {
  return Buffer.concat([MAGIC, Buffer.from([1, versions.min, versions.max]), nonce]);
}

/** Throws MalformedFrame. */
export function decodeHello(bytes: Uint8Array): Hello {
  checked(bytes, 1, HELLO_BYTES);
  return {
    versions: { min: bytes[5] as number, max: bytes[6] as number },
    nonce: Uint8Array.from(bytes.subarray(7, 39)),
  };
}

export function encodeProof(secret: Uint8Array, hello: Uint8Array, { versions, shard, nonce }: Proof): Buffer {
  const head = Buffer.alloc(11);
  MAGIC.copy(head);
  head.set([2, versions.min, versions.max], 4);
  head.writeUInt32LE(shard, 7);
  const body = Buffer.concat([head, nonce]);
  return Buffer.concat([body, mac(secret, 'enc:link:router', hello, body)]);
}

/** Null if whoever sent it does not hold the secret. Throws MalformedFrame. */
export function decodeProof(secret: Uint8Array, hello: Uint8Array, bytes: Uint8Array): Proof | null {
  checked(bytes, 2, PROOF_BYTES);
  const body = bytes.subarray(0, PROOF_BYTES - MAC);
  if (!sameMac(mac(secret, 'enc:link:router', hello, body), bytes.subarray(body.length, PROOF_BYTES))) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    versions: { min: bytes[5] as number, max: bytes[6] as number },
    shard: view.getUint32(7, true),
    nonce: Uint8Array.from(bytes.subarray(11, 43)),
  };
}

export function encodeWelcome(secret: Uint8Array, hello: Uint8Array, proof: Uint8Array, w: Welcome): Buffer {
  const about = Buffer.from(w.about);
  const head = Buffer.alloc(WELCOME_HEAD);
  MAGIC.copy(head);
  head.set([3, w.version], 4);
  const numbers = [w.shard, w.maxRequests, w.maxBytes, w.topology.version, w.topology.shards, w.topology.before];
  for (const [i, n] of numbers.entries()) head.writeUInt32LE(n, 6 + i * 4);
  head.set(w.process, 30);
  head.writeUInt32LE(about.length, 46);
  const body = Buffer.concat([head, about]);
  return Buffer.concat([body, mac(secret, 'enc:link:shard', hello, proof, body)]);
}

/** Null if whoever sent it does not hold the secret. Throws MalformedFrame. Fields that a later version adds are skipped. */
export function decodeWelcome(
  secret: Uint8Array,
  hello: Uint8Array,
  proof: Uint8Array,
  bytes: Uint8Array,
): Welcome | null {
  checked(bytes, 3, WELCOME_HEAD + MAC);
  const body = bytes.subarray(0, bytes.length - MAC);
  if (!sameMac(mac(secret, 'enc:link:shard', hello, proof, body), bytes.subarray(body.length))) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(46, true);
  if (length > MAX_ABOUT || WELCOME_HEAD + length > body.length) throw new MalformedFrame('a welcome is cut off');
  return {
    version: bytes[5] as number,
    shard: view.getUint32(6, true),
    maxRequests: view.getUint32(10, true),
    maxBytes: view.getUint32(14, true),
    topology: {
      version: view.getUint32(18, true),
      shards: view.getUint32(22, true),
      before: view.getUint32(26, true),
    },
    process: Uint8Array.from(bytes.subarray(30, 46)),
    about: Buffer.from(body.subarray(WELCOME_HEAD, WELCOME_HEAD + length)).toString('utf8'),
  };
}

function checked(bytes: Uint8Array, step: number, length: number): void {
  const whole = bytes.length >= length && MAGIC.compare(bytes, 0, 4) === 0 && bytes[4] === step;
  if (!whole) throw new MalformedFrame('a handshake has another shape');
}

function mac(secret: Uint8Array, purpose: string, ...parts: readonly Uint8Array[]): Buffer {
  return createHmac('sha256', secret)
    .update(concat(Buffer.from(purpose), ...parts))
    .digest();
}

const sameMac = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
