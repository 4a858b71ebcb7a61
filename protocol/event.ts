import {
  COMMIT_KEYS,
  type Commit,
  type CommitText,
  commitMembers,
  commitText,
  parseCommit,
  verifyCommit,
} from './commit.ts';
import { eventHash, eventId, laneEventHash } from './hash.ts';
import { type EventId, hex32, hex64, isHex32, isHex64, type PublicKey, type Signature, unhex } from './hex.ts';
import { isObject, type Json } from './json.ts';
import { noble, type Signer, type Verifier } from './secp.ts';
import { isInteger } from './shape.ts';

export type EventStatus = 'updated' | 'deleted';

/** A sequenced commit (PROTOCOL §3). `status` is there in answers only. */
export interface Event extends Commit {
  readonly timestamp: number;
  readonly sequencer: PublicKey;
  readonly seq: number;
  readonly seq_sig: Signature;
  readonly id: EventId;
  /** lanes ≥ 1; the control seq whose state authorized the event stands beside it */
  readonly lane?: number;
  readonly ctl?: number;
  readonly status?: EventStatus;
}

const EVENT_KEYS: ReadonlySet<string> = new Set([
  ...COMMIT_KEYS,
  'content_hash',
  'timestamp',
  'sequencer',
  'seq',
  'seq_sig',
  'id',
  'lane',
  'ctl',
  'status',
]);

/** The event in a JSON value, or null if a field is missing, misshapen or unknown. */
export function parseEvent(value: Json): Event | null {
  const commit = parseCommit(value, { keys: EVENT_KEYS });
  if (commit === null || !isObject(value)) return null;
  const sequenced = parseSequenced(value);
  if (sequenced === null) return null;
  const status = value.get('status');
  if (status !== undefined && status !== 'updated' && status !== 'deleted') return null;
  return { ...commit, ...sequenced, ...(status === undefined ? {} : { status }) };
}

/** What the sequencer adds; also the part that a receipt shares with its event. */
export type Sequenced = Pick<Event, 'timestamp' | 'sequencer' | 'seq' | 'seq_sig' | 'id' | 'lane' | 'ctl'>;

/** The sequencer's fields in an object, or null. `lane` and `ctl` come together. */
export function parseSequenced(value: ReadonlyMap<string, Json>): Sequenced | null {
  const timestamp = value.get('timestamp');
  const sequencer = value.get('sequencer');
  const seq = value.get('seq');
  const seqSig = value.get('seq_sig');
  const id = value.get('id');
  const lane = value.get('lane');
  const ctl = value.get('ctl');
  if (
    !isInteger(timestamp) ||
    !isHex32<PublicKey>(sequencer) ||
    !isInteger(seq) ||
    !isHex64(seqSig) ||
    !isHex32<EventId>(id)
  )
    return null;
  const base = { timestamp, sequencer, seq, seq_sig: seqSig, id };
  if (lane === undefined && ctl === undefined) return base;
  return isInteger(lane, 1, 0xffffffff) && isInteger(ctl) ? { ...base, lane, ctl } : null;
}

/** What `seq_sig` signs, for the lane that the event names. */
export function eventHashOf(commit: Pick<Commit, 'hash' | 'sig'>, e: Omit<Sequenced, 'seq_sig' | 'id'>): Uint8Array {
  const hash = unhex(commit.hash);
  const sig = unhex(commit.sig);
  const sequencer = unhex(e.sequencer);
  if (e.lane === undefined) return eventHash(hash, sig, sequencer, e.seq, e.timestamp);
  return laneEventHash(hash, sig, sequencer, e.lane, e.seq, e.ctl as number, e.timestamp);
}

/** Sequences a commit: the event under the sequencer's key. Throws on a bad secret. */
export function signEvent(
  commit: Commit,
  place: Pick<Event, 'timestamp' | 'seq' | 'lane' | 'ctl'>,
  sequencerSecret: Uint8Array,
  signer: Signer = noble,
): Event {
  const pub = signer.publicKey(sequencerSecret);
  if (pub === null) throw new RangeError('not a secret key');
  const unsigned = { ...place, sequencer: hex32<PublicKey>(pub) };
  const hash = eventHashOf(commit, unsigned);
  const seqSig = signer.signSchnorr(sequencerSecret, hash);
  return { ...commit, ...unsigned, seq_sig: hex64(seqSig), id: hex32(eventId(hash, seqSig)) };
}

/** Checks id and `seq_sig` of a sequenced commit: null if good. */
export function verifySequenced(
  commit: Pick<Commit, 'hash' | 'sig'>,
  e: Sequenced,
  verifier: Verifier = noble,
): 'invalid_hash' | 'invalid_signature' | null {
  const hash = eventHashOf(commit, e);
  const seqSig = unhex(e.seq_sig);
  if (hex32(eventId(hash, seqSig)) !== e.id) return 'invalid_hash';
  return verifier.verifySchnorr(unhex(e.sequencer), hash, seqSig) ? null : 'invalid_signature';
}

/**
 * null if everything that the event itself claims holds: commit hash and signature, timestamp < exp, event id and the
 * signature of the sequencer it names. Whether that is the enclave's sequencer, and the place in the log, are
 * questions for the caller (known key, bundle and inclusion proofs).
 */
export function verifyEvent(
  event: Event,
  verifier: Verifier = noble,
): 'invalid_hash' | 'invalid_signature' | 'expired' | null {
  const fault = verifyCommit(event, verifier);
  if (fault !== null) return fault;
  if (event.timestamp >= event.exp) return 'expired';
  return verifySequenced(event, event, verifier);
}

export interface EventText extends CommitText {
  readonly timestamp: number;
  readonly sequencer: string;
  readonly seq: number;
  readonly seqSig: string;
  readonly id: string;
  /** 0 is the control lane: neither `lane` nor `ctl` is written */
  readonly lane: number;
  readonly ctl: number;
  readonly status?: EventStatus | undefined;
}

/** The event as JSON in the order of PROTOCOL §3. */
export function eventTextJson(e: EventText): string {
  const lane = e.lane === 0 ? '' : `,"lane":${e.lane},"ctl":${e.ctl}`;
  const status = e.status === undefined ? '' : `,"status":"${e.status}"`;
  return (
    `{${commitMembers(e)},"timestamp":${e.timestamp},"sequencer":"${e.sequencer}","seq":${e.seq},` +
    `"seq_sig":"${e.seqSig}","id":"${e.id}"${lane}${status}}`
  );
}

export function eventJson(event: Event): string {
  const { timestamp, sequencer, seq, id, status } = event;
  const place = {
    timestamp,
    sequencer,
    seq,
    seqSig: event.seq_sig,
    id,
    lane: event.lane ?? 0,
    ctl: event.ctl ?? 0,
    status,
  };
  return eventTextJson({ ...commitText(event), ...place });
}
