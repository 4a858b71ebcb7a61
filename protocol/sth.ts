import { sthMessage } from './hash.ts';
import {
  type EnclaveId,
  type Hash32,
  hex32,
  hex64,
  isHex32,
  isHex64,
  type PublicKey,
  type Signature,
  unhex,
} from './hex.ts';
import { isObject, type Json } from './json.ts';
import { noble, type Signer, type Verifier } from './secp.ts';
import { hasOnly, isInteger } from './shape.ts';

/** A signed tree head (PROTOCOL §7). */
export interface Sth {
  readonly enclave: EnclaveId;
  /** ms, time of the last closing; the Manifest's timestamp while ts = 0 */
  readonly t: number;
  /** closed bundles = leaves of the CT log */
  readonly ts: number;
  readonly r: Hash32;
  readonly sequencer: PublicKey;
  readonly sig: Signature;
}

const KEYS: ReadonlySet<string> = new Set(['enclave', 't', 'ts', 'r', 'sequencer', 'sig']);

/** The tree head in a JSON value, or null. */
export function parseSth(value: Json): Sth | null {
  if (!isObject(value) || !hasOnly(value, KEYS)) return null;
  const enclave = value.get('enclave');
  const t = value.get('t');
  const ts = value.get('ts');
  const r = value.get('r');
  const sequencer = value.get('sequencer');
  const sig = value.get('sig');
  if (!isHex32<EnclaveId>(enclave) || !isInteger(t) || !isInteger(ts) || !isHex32<Hash32>(r)) return null;
  if (!isHex32<PublicKey>(sequencer) || !isHex64(sig)) return null;
  return { enclave, t, ts, r, sequencer, sig };
}

/** What `sig` is over. */
export function sthHash(sth: Pick<Sth, 'enclave' | 't' | 'ts' | 'r'>): Uint8Array {
  return sthMessage(unhex(sth.enclave), sth.t, sth.ts, unhex(sth.r));
}

/** Throws on a bad secret. */
export function signSth(
  head: Pick<Sth, 'enclave' | 't' | 'ts' | 'r'>,
  secret: Uint8Array,
  signer: Signer = noble,
): Sth {
  const pub = signer.publicKey(secret);
  if (pub === null) throw new RangeError('not a secret key');
  const { enclave, t, ts, r } = head;
  return { enclave, t, ts, r, sequencer: hex32(pub), sig: hex64(signer.signSchnorr(secret, sthHash(head))) };
}

/** Is the signature that of the sequencer it names? Whether that is the enclave's is the caller's question. */
export function verifySth(sth: Sth, verifier: Verifier = noble): boolean {
  return verifier.verifySchnorr(unhex(sth.sequencer), sthHash(sth), unhex(sth.sig));
}

export function sthJson(sth: Sth): string {
  return (
    `{"enclave":"${sth.enclave}","t":${sth.t},"ts":${sth.ts},"r":"${sth.r}",` +
    `"sequencer":"${sth.sequencer}","sig":"${sth.sig}"}`
  );
}
