import { be32, concat, viewOf } from './bytes.ts';
import { sessionPlainMessage } from './hash.ts';
import { fromHex, toHex } from './hex.ts';
import { SESSION_LEEWAY, SESSION_LIFETIME } from './limits.ts';
import { noble, type Signer, type Verifier } from './secp.ts';

/** Plain session tokens (PROTOCOL §8): r || s || be32(expires), a bearer secret that names one sequencer. */
export const SESSION_BYTES = 68;

/** The token as 136 hex digits; `expires` in Unix seconds. Throws on a bad secret. */
export function makeSession(
  secret: Uint8Array,
  sequencer: Uint8Array,
  expires: number,
  signer: Signer = noble,
): string {
  const sig = signer.signSchnorr(secret, sessionPlainMessage(sequencer, expires));
  return toHex(concat(sig, be32(expires)));
}

/** The 68 bytes of a token, or null (`invalid_session`). */
export function parseSession(token: unknown): Uint8Array | null {
  return typeof token === 'string' ? fromHex(token, SESSION_BYTES) : null;
}

/** Unix seconds at which a token ends; it has 68 bytes. */
export function sessionExpires(session: Uint8Array): number {
  return viewOf(session).getUint32(64);
}

/**
 * Checks a plain token of `from` for this sequencer at `now` (ms; compared in whole seconds), in the order of
 * PROTOCOL §8: signature, too old, too far ahead. null if it is good.
 */
export function checkSession(
  session: Uint8Array,
  from: Uint8Array,
  sequencer: Uint8Array,
  now: number,
  verifier: Verifier = noble,
): 'invalid_session' | 'session_expired' | null {
  if (session.length !== SESSION_BYTES) return 'invalid_session';
  const expires = sessionExpires(session);
  if (!verifier.verifySchnorr(from, sessionPlainMessage(sequencer, expires), session.subarray(0, 64)))
    return 'invalid_session';
  const seconds = Math.floor(now / 1000);
  if (expires < seconds - SESSION_LEEWAY) return 'session_expired';
  if (expires > seconds + SESSION_LIFETIME + SESSION_LEEWAY) return 'invalid_session';
  return null;
}
