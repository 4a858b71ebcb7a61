/**
 * The part of `protocol/` that k6 scripts need, with plain strings in and out. k6 resolves no npm packages, so this is
 * bundled with them into protocol.js beside it, which the scripts import: `node bench/k6/build.ts` makes it, and
 * `npm run check` compares. A signature takes k6 about 30 ms: fine for a smoke test, and why load comes pre-signed.
 */
import './engine.ts';
import { type Commit, commitJson, enclaveIdOf, parseCommit, signCommit } from '../../../protocol/commit.ts';
import { ERRORS, errorBody } from '../../../protocol/errors.ts';
import { hex32, toHex, unhex } from '../../../protocol/hex.ts';
import { type Json, toJson } from '../../../protocol/json.ts';
import { parseReceipt, verifyReceipt } from '../../../protocol/receipt.ts';
import { noble } from '../../../protocol/secp.ts';
import { makeSession } from '../../../protocol/session.ts';
import { parseSth, verifySth } from '../../../protocol/sth.ts';

/** Someone who signs. Both hex32. */
export interface Key {
  readonly id: string;
  readonly secret: string;
}

export interface Draft {
  /** the enclave's id; of a Manifest it follows from the rest */
  readonly enclave?: string;
  readonly type: string;
  readonly content: unknown;
  /** Unix ms */
  readonly exp: number;
}

/** A signed commit: what the answer to it must name, and the JSON text to send. */
export interface Signed {
  readonly hash: string;
  readonly enclave: string;
  readonly sig: string;
  readonly body: string;
}

/** of 64 hex digits; throws RangeError if they are no secret key */
export function keyOf(secret: string): Key {
  const pub = noble.publicKey(unhex(secret));
  if (pub === null) throw new RangeError('not a secret key');
  return { id: toHex(pub), secret };
}

/** A fresh key from the system's random source. */
export function newKey(): Key {
  const bytes = new Uint8Array(32);
  for (;;) {
    crypto.getRandomValues(bytes);
    if (noble.publicKey(bytes) !== null) return keyOf(toHex(bytes));
  }
}

/** PROTOCOL §3. Throws on content that is no JSON of PROTOCOL §1. */
export function sign(key: Key, draft: Draft): Signed {
  const content = toJson(draft.content);
  const enclave =
    draft.enclave === undefined ? enclaveIdOf(hex32(unhex(key.id)), content) : hex32(unhex(draft.enclave));
  const commit = signCommit(
    { enclave: enclave as Commit['enclave'], type: draft.type, content, exp: draft.exp },
    unhex(key.secret),
  );
  return { hash: commit.hash, enclave: commit.enclave, sig: commit.sig, body: commitJson(commit) };
}

/** A plain session token for one sequencer (PROTOCOL §8); `expires` in Unix seconds. */
export function session(key: Key, sequencer: string, expires: number): string {
  return makeSession(unhex(key.secret), unhex(sequencer), expires);
}

/** null if `answer` (parsed JSON) is the whole and true receipt of that commit, by that sequencer; else what is wrong. */
export function receiptFault(answer: unknown, signed: Signed, sequencer: string): string | null {
  const receipt = parseReceipt(jsonOf(answer));
  if (receipt === null) return 'malformed';
  if (receipt.sequencer !== sequencer) return 'by another sequencer';
  return verifyReceipt(receipt, parseCommit(jsonOf(JSON.parse(signed.body))) as Commit);
}

/** null if this is a tree head of that enclave, signed by that sequencer. */
export function headFault(answer: unknown, enclave: string, sequencer: string): string | null {
  const head = parseSth(jsonOf(answer));
  if (head === null) return 'malformed';
  if (head.enclave !== enclave) return 'of another enclave';
  if (head.sequencer !== sequencer) return 'by another sequencer';
  return verifySth(head) ? null : 'invalid_signature';
}

/** The shape of a receipt and whom it is for, without the curve: what load can afford to look at each time. */
export function receiptShapeFault(answer: unknown, hash: string, enclave: string): string | null {
  if (!isRecord(answer)) return 'not an object';
  if (answer['type'] !== 'Receipt') return typeof answer['error'] === 'string' ? answer['error'] : 'no receipt';
  if (answer['hash'] !== hash) return 'for another commit';
  if (answer['enclave'] !== enclave) return 'for another enclave';
  return parseReceipt(jsonOf(answer)) === null ? 'malformed' : null;
}

/** How a node refuses with that code: status and body, byte for byte (PROTOCOL §9). */
export function refusal(code: string): { status: number; text: string } {
  const row = ERRORS.find((error) => error.code === code);
  if (!row) throw new RangeError(`no such error: ${code}`);
  return { status: row.status, text: errorBody(row.code) };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function jsonOf(value: unknown): Json {
  try {
    return toJson(value);
  } catch {
    return null;
  }
}
