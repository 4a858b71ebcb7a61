import {
  ArchiveDamaged,
  type ArchivedEvent,
  type ArchivePart,
  archivedRecords,
  damagedUnless,
  erasedRecord,
} from './archive-object.ts';
import { eventsRoot } from './bundle-tree.ts';
import { equalBytes, utf8 } from './bytes.ts';
import { contentHashOf } from './commit.ts';
import { type Event, verifyEvent } from './event.ts';
import { ctLeaf, ctLeafData, EMPTY_HASH, laneId, sthMessage, type Tags, ZERO32, ZERO64 } from './hash.ts';
import { type EventId, hex32, hex64, type PublicKey, unhex } from './hex.ts';
import { targetOf, typeNumber } from './inspect.ts';
import { canonical, type Json, parseJson } from './json.ts';
import { IC_ALG, IC_ECDSA, IC_ERASED, IC_TAGS, IC_TARGET } from './layout.ts';
import {
  algOf,
  buildClosingRecord,
  buildEventRecord,
  type ClosingRecord,
  type EventRecord,
  NO_TARGET,
  readClosingRecord,
  readEventRecord,
} from './records.ts';
import { noble, type Verifier } from './secp.ts';
import { isTags, isTypeName } from './shape.ts';

const RECORD_FLAGS = IC_TAGS | IC_ALG | IC_ECDSA | IC_TARGET | IC_ERASED;

export interface CheckedPart {
  readonly part: ArchivePart;
  readonly closing: ClosingRecord;
  /** the closing carries the signature of the tree head at bundle + 1; it has been checked */
  readonly signed: boolean;
  readonly events: readonly CheckedEvent[];
  /** behind the Manifest */
  readonly genesis: Uint8Array | null;
}

export interface CheckedEvent extends ArchivedEvent {
  readonly event: Event;
  /** of an Update or Delete, also when its content is gone */
  readonly target: string | undefined;
}

export interface CheckOptions {
  readonly verifier?: Verifier;
  /**
   * false: leave the signatures of the events out. Enough where `closing` is known from elsewhere: an id is a hash over
   * commit, both signatures and place, so a root that is known pins the signatures too.
   */
  readonly signatures?: boolean;
  /** The bundle's closing, if it is known: the part must be of that very bundle. */
  readonly closing?: Uint8Array;
}

const TRUSTING: Verifier = { verifySchnorr: () => true, verifyEcdsa: () => true };

/**
 * Checks what a part says: every byte of every record follows from what was signed and hashed, the ids add up to the
 * closing, its leaf is that bundle, its tree head is signed. Whether the closing belongs to the enclave's log is the
 * caller's question (`closing`, or the roots of all bundles before). Throws ArchiveDamaged.
 */
export function checkArchivePart(part: ArchivePart, options: CheckOptions = {}): CheckedPart {
  const steps = archiveCheckSteps(part, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same one event a step, for who must not hold the thread for long. */
export function* archiveCheckSteps(part: ArchivePart, options: CheckOptions): Generator<void, CheckedPart> {
  const verifier = options.verifier ?? noble;
  const closing = checkClosing(part, verifier);
  if (options.closing !== undefined)
    damagedUnless(sameBundle(closing, readClosingRecord(options.closing)), 'its closing is not the one in the log');
  const events: CheckedEvent[] = [];
  let genesis: Uint8Array | null = null;
  for (const item of archivedRecords(part)) {
    if ('genesis' in item) {
      damagedUnless(events.length === 1 && events[0]?.event.seq === 0 && genesis === null, 'it has a record too many');
      checkGenesis(item.genesis, part, events[0].event, verifier);
      genesis = item.genesis;
      continue;
    }
    events.push(checkEvent(item, part, part.from + events.length, (options.signatures ?? true) ? verifier : TRUSTING));
    yield;
  }
  damagedUnless(events.length === part.events && events.length > 0, 'it does not hold the events that its header says');
  checkIds(part, closing, events);
  return { part, closing, signed: !equalBytes(closing.sthSig, ZERO64), events, genesis };
}

/** The same bundle of the same log. A restored log has lost the signatures of older tree heads, and their times. */
function sameBundle(a: ClosingRecord, b: ClosingRecord): boolean {
  const core = (c: ClosingRecord): Uint8Array => buildClosingRecord({ ...c, t: 0, sthSig: ZERO64 });
  return equalBytes(core(a), core(b));
}

function checkClosing(part: ArchivePart, verifier: Verifier): ClosingRecord {
  const c = reading(() => readClosingRecord(part.closing));
  damagedUnless(
    safe(c.index, c.firstSeq, c.t) && !c.genesis && equalBytes(buildClosingRecord(c), part.closing),
    'its closing is malformed',
  );
  damagedUnless(
    c.index === part.bundle && c.firstSeq === part.firstSeq && c.size === part.size && c.lane === part.lane,
    'its closing is that of another bundle',
  );
  damagedUnless(
    equalBytes(c.ctLeaf, ctLeaf(ctLeafData(c.eventsRoot, c.stateHash, c.firstSeq, c.size))),
    'its closing names another leaf',
  );
  if (!equalBytes(c.sthSig, ZERO64)) {
    const message = sthMessage(subject(part), c.t, c.index + 1, c.ctRoot);
    damagedUnless(verifier.verifySchnorr(c.sequencer, message, c.sthSig), 'its tree head is not signed');
  }
  return c;
}

function checkGenesis(record: Uint8Array, part: ArchivePart, manifest: Event, verifier: Verifier): void {
  const g = reading(() => readClosingRecord(record));
  damagedUnless(safe(g.t), 'its first tree head is malformed');
  const expected = buildClosingRecord({
    ...{ genesis: true, index: 0, firstSeq: 0, size: 0, lane: part.lane, t: manifest.timestamp, nodes: [] },
    ...{ eventsRoot: ZERO32, stateHash: ZERO32, ctLeaf: ZERO32, ctRoot: EMPTY_HASH },
    ...{ sthSig: g.sthSig, sequencer: unhex(manifest.sequencer) },
  });
  damagedUnless(equalBytes(expected, record), 'its first tree head is malformed');
  if (equalBytes(g.sthSig, ZERO64)) return;
  damagedUnless(
    verifier.verifySchnorr(g.sequencer, sthMessage(subject(part), g.t, 0, g.ctRoot), g.sthSig),
    'its first tree head is not signed',
  );
}

function checkEvent(item: ArchivedEvent, part: ArchivePart, seq: number, verifier: Verifier): CheckedEvent {
  const which = `event ${seq}`;
  const r = reading(() => readEventRecord(item.record));
  damagedUnless(r.seq === seq, `${which} is missing`);
  damagedUnless(
    r.lane === part.lane && isTypeName(r.type) && safe(r.timestamp, r.exp, r.ctl),
    `the record of ${which} is malformed`,
  );
  const flagged = (r.flags & IC_ERASED) !== 0;
  damagedUnless(flagged ? r.contentLength === 0 : r.contentLength > 0, `the record of ${which} is malformed`);
  damagedUnless(
    !item.erased || r.type === 'Update' || typeNumber(r.type) === 0,
    `the content of ${which} is gone, and no Delete may erase it`,
  );
  const event = eventOf(r, part, item, which);
  const hashed = contentHashOf(event);
  // With the hash in place of the content, which is then hashed once.
  const fault = verifyEvent({ ...event, content: null, content_hash: hex32(hashed) }, verifier);
  damagedUnless(fault === null, `${which} is not what its author or its sequencer signed`);
  const target = item.erased && r.type === 'Update' ? r.target : (targetOf(event) ?? NO_TARGET);
  const known = !equalBytes(target, NO_TARGET);
  const record = buildEventRecord({
    ...r,
    flags: (r.flags & RECORD_FLAGS & ~IC_TARGET) | (known ? IC_TARGET : 0),
    typeNumber: typeNumber(r.type),
    contentHash: hashed,
    target,
  });
  damagedUnless(equalBytes(record, item.record), `the record of ${which} says more than was signed`);
  const named = r.type === 'Update' || r.type === 'Delete';
  return { ...item, event, target: named && known ? hex32<EventId>(target) : undefined };
}

/** The record as the event that it stands for; hashes and signatures are still to be checked. */
function eventOf(r: EventRecord, part: ArchivePart, item: ArchivedEvent, which: string): Event {
  const malformed = `the record of ${which} is malformed`;
  damagedUnless(((r.flags & IC_TAGS) !== 0) === (r.tags !== ''), malformed);
  damagedUnless((r.flags & IC_ECDSA) === 0 || (r.flags & IC_ALG) !== 0, malformed);
  let tags: Tags | undefined;
  if (r.tags !== '') {
    const parsed = parsedCanonical(utf8(r.tags));
    damagedUnless(parsed !== undefined && isTags(parsed), malformed);
    tags = parsed;
  }
  const content = item.erased ? null : parsedCanonical(item.content);
  damagedUnless(content !== undefined, `the content of ${which} is malformed`);
  const alg = algOf(r.flags);
  const event: Event = {
    hash: hex32(r.hash),
    enclave: hex32(part.enclave),
    from: hex32(r.from),
    type: r.type,
    content,
    ...(item.erased ? { content_hash: hex32(r.contentHash) } : {}),
    exp: r.exp,
    ...(tags === undefined ? {} : { tags }),
    ...(alg === undefined ? {} : { alg }),
    sig: hex64(r.sig),
    timestamp: r.timestamp,
    sequencer: hex32<PublicKey>(r.sequencer),
    seq: r.seq,
    seq_sig: hex64(r.seqSig),
    id: hex32<EventId>(r.id),
    ...(r.lane === 0 ? {} : { lane: r.lane, ctl: r.ctl }),
  };
  damagedUnless(r.lane !== 0 || r.ctl === 0, malformed);
  return event;
}

function checkIds(part: ArchivePart, closing: ClosingRecord, events: readonly CheckedEvent[]): void {
  const own = events.map(({ event }) => unhex(event.id));
  const several = part.ids.length > 0;
  const ids = several
    ? Array.from({ length: part.ids.length / 32 }, (_, i) => part.ids.subarray(32 * i, 32 * i + 32))
    : own;
  const offset = part.from - part.firstSeq;
  damagedUnless(
    ids.length === part.size &&
      offset >= 0 &&
      offset + own.length <= ids.length &&
      own.every((id, i) => equalBytes(id, ids[offset + i] as Uint8Array)) &&
      (several ? own.length < part.size : part.part === 0) &&
      (part.part === 0) === (offset === 0),
    'it does not hold the events that its header says',
  );
  damagedUnless(equalBytes(eventsRoot(ids), closing.eventsRoot), 'its events do not add up to the root of the bundle');
}

/** The record as the log keeps it now: without a content that was erased since. */
export function recordNow(event: ArchivedEvent): Uint8Array {
  return event.erased && event.length > 0 ? erasedRecord(event.record) : event.record;
}

function subject(part: ArchivePart): Uint8Array {
  return part.lane === 0 ? part.enclave : laneId(part.enclave, part.lane);
}

/** The value of canonical JSON, undefined if it is none. */
function parsedCanonical(bytes: Uint8Array): Json | undefined {
  const parsed = parseJson(bytes);
  if (parsed === null) return undefined;
  return equalBytes(utf8(canonical(parsed.value)), bytes) ? parsed.value : undefined;
}

function safe(...numbers: readonly number[]): boolean {
  return numbers.every(Number.isSafeInteger);
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new ArchiveDamaged('a record of it is malformed');
    throw error;
  }
}
