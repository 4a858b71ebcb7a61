import { type Commit, type CommitDraft, commitJson, signCommit } from '../../protocol/commit.ts';
import { hex32, type PublicKey, unhex } from '../../protocol/hex.ts';
import { type Json, parseJson } from '../../protocol/json.ts';
import type { Signer, Verifier } from '../../protocol/secp.ts';
import { makeSession } from '../../protocol/session.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';

/** Only for speed: the same interface as protocol/secp.ts, checked against the vectors of BIP-340 when it opens. */
export const secp: Signer & Verifier = openSecp256k1();

const REQUEST_DEADLINE_MS = 15_000;

export interface Identity {
  readonly secret: Uint8Array;
  readonly id: PublicKey;
}

export function identity(secret: Uint8Array): Identity {
  const pub = secp.publicKey(secret);
  if (pub === null) throw new RangeError('not a secret key');
  return { secret, id: hex32<PublicKey>(pub) };
}

export function sign(by: Identity, draft: CommitDraft): Commit {
  return signCommit(draft, by.secret, secp);
}

export { commitJson };

export interface Reply {
  /** HTTP status, 0 when there was no answer, −1 when there was half of one */
  readonly status: number;
  readonly text: string;
}

/** Sends and waits; a lost connection or a time-out is status 0 or −1, never an exception. */
export async function call(
  url: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Reply> {
  let status = 0;
  try {
    const answer = await fetch(url + path, {
      ...(body === undefined
        ? {}
        : { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    status = -1;
    const text = await answer.text();
    return { status: answer.status, text };
  } catch {
    return { status, text: '' };
  }
}

export async function download(url: string, path: string): Promise<{ status: number; bytes: Buffer<ArrayBuffer> }> {
  try {
    const answer = await fetch(url + path, { signal: AbortSignal.timeout(REQUEST_DEADLINE_MS) });
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
  } catch {
    return { status: 0, bytes: Buffer.alloc(0) };
  }
}

/** The JSON of an answer, null if it is none. */
export function json(text: string): Json | null {
  return parseJson(Buffer.from(text), 64)?.value ?? null;
}

const sessions = new Map<string, string>();

/** A session of `by` with this sequencer, an hour long. */
export function session(by: Identity | { id: string; secret: Uint8Array }, sequencer: string): string {
  const name = `${by.id}/${sequencer}`;
  let token = sessions.get(name);
  if (token === undefined) {
    token = makeSession(by.secret, unhex(sequencer), Math.floor(Date.now() / 1000) + 3600, secp);
    sessions.set(name, token);
  }
  return token;
}
