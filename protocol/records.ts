import { fromUtf8, pad8, utf8, viewOf } from './bytes.ts';
import type { Alg } from './commit.ts';
import { type EventStatus, eventTextJson } from './event.ts';
import { ZERO32 } from './hash.ts';
import { toHex } from './hex.ts';
import {
  FORMAT_VERSION,
  IC_ALG,
  IC_ECDSA,
  IC_ERASED,
  IC_TAGS,
  RECORD_CLOSING,
  RECORD_EVENT,
  RECORD_GENESIS,
} from './layout.ts';
import { receiptTextJson } from './receipt.ts';

/** Binary layouts of kernel/kernel.ts: inspected commits (IC), event records, closing records. Byte fields are raw. */

const COMMIT_HEAD = 264;
const EVENT_HEAD = 376;
const CLOSING_HEAD = 272;
/** An IC with an error code ends behind the place of its text. */
const COMMIT_ERROR = 16;

/** Cuts bytes into their records; throws RangeError if lengths do not add up. */
export function* splitRecords(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.length - at < 8 ? 0 : viewOf(bytes).getUint32(at, true);
    if (length < 8 || length % 8 !== 0 || at + length > bytes.length) throw new RangeError(`no record at byte ${at}`);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

export interface InspectedCommit {
  /** 0, or the number of the error; then only it and the place of the text mean anything */
  readonly code: number;
  readonly flags: number;
  readonly typeNumber: number;
  /** the commit's text in the body */
  readonly textStart: number;
  readonly textLength: number;
  readonly exp: number;
  readonly enclave: Uint8Array;
  readonly from: Uint8Array;
  readonly hash: Uint8Array;
  readonly sig: Uint8Array;
  readonly contentHash: Uint8Array;
  /** zero if IC_TARGET is not set */
  readonly target: Uint8Array;
  readonly type: string;
  /** canonical JSON, '' if not sent */
  readonly tags: string;
  /** canonical JSON, empty if erased */
  readonly content: Uint8Array;
}

export function buildCommitRecord(c: InspectedCommit): Uint8Array {
  const tags = utf8(c.tags);
  const out = new Uint8Array(pad8(COMMIT_HEAD + c.type.length + tags.length + c.content.length));
  const view = viewOf(out);
  view.setUint32(0, out.length, true);
  view.setUint16(4, c.code, true);
  out[6] = c.flags;
  out[7] = c.typeNumber;
  view.setUint32(8, c.textStart, true);
  view.setUint32(12, c.textLength, true);
  setU64(view, 16, c.exp);
  out.set(c.enclave, 24);
  out.set(c.from, 56);
  out.set(c.hash, 88);
  out.set(c.sig, 120);
  out.set(c.contentHash, 184);
  out.set(c.target, 216);
  view.setUint32(248, c.type.length, true);
  view.setUint32(252, tags.length, true);
  view.setUint32(256, c.content.length, true);
  out.set(utf8(c.type), COMMIT_HEAD);
  out.set(tags, COMMIT_HEAD + c.type.length);
  out.set(c.content, COMMIT_HEAD + c.type.length + tags.length);
  return out;
}

export function buildCommitError(code: number, textStart: number, textLength: number): Uint8Array {
  const out = new Uint8Array(COMMIT_ERROR);
  const view = viewOf(out);
  view.setUint32(0, out.length, true);
  view.setUint16(4, code, true);
  view.setUint32(8, textStart, true);
  view.setUint32(12, textLength, true);
  return out;
}

const NONE = new Uint8Array(0);

/** One IC; byte fields are views into it. */
export function readCommitRecord(record: Uint8Array): InspectedCommit {
  const view = viewOf(record);
  const code = view.getUint16(4, true);
  const place = { textStart: view.getUint32(8, true), textLength: view.getUint32(12, true) };
  if (code !== 0) {
    const empty = { enclave: NONE, from: NONE, hash: NONE, sig: NONE, contentHash: NONE, target: NONE, content: NONE };
    return { code, flags: 0, typeNumber: 0, ...place, exp: 0, ...empty, type: '', tags: '' };
  }
  const typeEnd = COMMIT_HEAD + view.getUint32(248, true);
  const tagsEnd = typeEnd + view.getUint32(252, true);
  return {
    code,
    flags: record[6] as number,
    typeNumber: record[7] as number,
    ...place,
    exp: getU64(view, 16),
    enclave: record.subarray(24, 56),
    from: record.subarray(56, 88),
    hash: record.subarray(88, 120),
    sig: record.subarray(120, 184),
    contentHash: record.subarray(184, 216),
    target: record.subarray(216, 248),
    type: textOf(record.subarray(COMMIT_HEAD, typeEnd)),
    tags: textOf(record.subarray(typeEnd, tagsEnd)),
    content: record.subarray(tagsEnd, tagsEnd + view.getUint32(256, true)),
  };
}

export interface EventRecord {
  /** IC_TAGS, IC_ALG, IC_ECDSA, IC_TARGET, IC_ERASED */
  readonly flags: number;
  readonly typeNumber: number;
  readonly seq: number;
  readonly timestamp: number;
  readonly exp: number;
  readonly ctl: number;
  readonly lane: number;
  /** bytes of canonical JSON in the content blob, 0 when erased */
  readonly contentLength: number;
  readonly id: Uint8Array;
  readonly hash: Uint8Array;
  readonly from: Uint8Array;
  readonly sig: Uint8Array;
  readonly seqSig: Uint8Array;
  readonly contentHash: Uint8Array;
  readonly target: Uint8Array;
  readonly sequencer: Uint8Array;
  readonly type: string;
  /** canonical JSON, '' if not sent */
  readonly tags: string;
}

export function buildEventRecord(e: EventRecord): Uint8Array {
  const tags = utf8(e.tags);
  const out = new Uint8Array(pad8(EVENT_HEAD + e.type.length + tags.length));
  const view = viewOf(out);
  view.setUint32(0, out.length, true);
  out[4] = RECORD_EVENT;
  out[5] = e.flags;
  out[6] = e.typeNumber;
  out[7] = FORMAT_VERSION;
  setU64(view, 8, e.seq);
  setU64(view, 16, e.timestamp);
  setU64(view, 24, e.exp);
  setU64(view, 32, e.ctl);
  view.setUint32(40, e.lane, true);
  view.setUint32(44, e.contentLength, true);
  out.set(e.id, 48);
  out.set(e.hash, 80);
  out.set(e.from, 112);
  out.set(e.sig, 144);
  out.set(e.seqSig, 208);
  out.set(e.contentHash, 272);
  out.set(e.target, 304);
  out.set(e.sequencer, 336);
  view.setUint16(368, e.type.length, true);
  view.setUint32(372, tags.length, true);
  out.set(utf8(e.type), EVENT_HEAD);
  out.set(tags, EVENT_HEAD + e.type.length);
  return out;
}

/** One event record; byte fields are views into it. Throws RangeError on another kind or a newer format. */
export function readEventRecord(record: Uint8Array): EventRecord {
  checkRecord(record, EVENT_HEAD, record[4] === RECORD_EVENT);
  const view = viewOf(record);
  const typeEnd = EVENT_HEAD + view.getUint16(368, true);
  return {
    flags: record[5] as number,
    typeNumber: record[6] as number,
    seq: getU64(view, 8),
    timestamp: getU64(view, 16),
    exp: getU64(view, 24),
    ctl: getU64(view, 32),
    lane: view.getUint32(40, true),
    contentLength: view.getUint32(44, true),
    id: record.subarray(48, 80),
    hash: record.subarray(80, 112),
    from: record.subarray(112, 144),
    sig: record.subarray(144, 208),
    seqSig: record.subarray(208, 272),
    contentHash: record.subarray(272, 304),
    target: record.subarray(304, 336),
    sequencer: record.subarray(336, 368),
    type: textOf(record.subarray(EVENT_HEAD, typeEnd)),
    tags: textOf(record.subarray(typeEnd, typeEnd + view.getUint32(372, true))),
  };
}

export interface ClosingRecord {
  /** the tree head of the empty log, made with the Manifest: index, firstSeq, size 0, roots zero but ctRoot, no nodes */
  readonly genesis: boolean;
  /** CT leaf index */
  readonly index: number;
  readonly firstSeq: number;
  readonly size: number;
  readonly lane: number;
  readonly t: number;
  readonly eventsRoot: Uint8Array;
  readonly stateHash: Uint8Array;
  readonly ctLeaf: Uint8Array;
  readonly ctRoot: Uint8Array;
  readonly sthSig: Uint8Array;
  readonly sequencer: Uint8Array;
  /** perfect CT subtrees that this leaf completes, level 1 upwards */
  readonly nodes: readonly Uint8Array[];
}

export function buildClosingRecord(c: ClosingRecord): Uint8Array {
  const out = new Uint8Array(CLOSING_HEAD + 32 * c.nodes.length);
  const view = viewOf(out);
  view.setUint32(0, out.length, true);
  out[4] = c.genesis ? RECORD_GENESIS : RECORD_CLOSING;
  out[7] = FORMAT_VERSION;
  setU64(view, 8, c.index);
  setU64(view, 16, c.firstSeq);
  view.setUint32(24, c.size, true);
  view.setUint32(28, c.lane, true);
  setU64(view, 32, c.t);
  out.set(c.eventsRoot, 40);
  out.set(c.stateHash, 72);
  out.set(c.ctLeaf, 104);
  out.set(c.ctRoot, 136);
  out.set(c.sthSig, 168);
  out.set(c.sequencer, 232);
  view.setUint32(264, c.nodes.length, true);
  for (const [i, node] of c.nodes.entries()) out.set(node, CLOSING_HEAD + 32 * i);
  return out;
}

/** One closing or genesis record; byte fields are views into it. Throws RangeError on another kind or a newer format. */
export function readClosingRecord(record: Uint8Array): ClosingRecord {
  checkRecord(record, CLOSING_HEAD, record[4] === RECORD_CLOSING || record[4] === RECORD_GENESIS);
  const view = viewOf(record);
  const count = view.getUint32(264, true);
  if (record.length !== CLOSING_HEAD + 32 * count) throw new RangeError('a closing whose nodes do not fit its length');
  const nodes = Array.from({ length: count }, (_, i) =>
    record.subarray(CLOSING_HEAD + 32 * i, CLOSING_HEAD + 32 * (i + 1)),
  );
  return {
    genesis: record[4] === RECORD_GENESIS,
    index: getU64(view, 8),
    firstSeq: getU64(view, 16),
    size: view.getUint32(24, true),
    lane: view.getUint32(28, true),
    t: getU64(view, 32),
    eventsRoot: record.subarray(40, 72),
    stateHash: record.subarray(72, 104),
    ctLeaf: record.subarray(104, 136),
    ctRoot: record.subarray(136, 168),
    sthSig: record.subarray(168, 232),
    sequencer: record.subarray(232, 264),
    nodes,
  };
}

/** RECORD_EVENT, RECORD_CLOSING or RECORD_GENESIS. */
export function recordKind(record: Uint8Array): number {
  return record[4] as number;
}

function checkRecord(record: Uint8Array, head: number, kind: boolean): void {
  if (record.length < head || !kind) throw new RangeError('not a record of this kind');
  if (record[7] !== FORMAT_VERSION)
    throw new RangeError(`record of format ${record[7]}, this node reads ${FORMAT_VERSION}`);
}

/** `alg` as it was sent, from the flags of an IC or event record. */
export function algOf(flags: number): Alg | undefined {
  if ((flags & IC_ALG) === 0) return undefined;
  return flags & IC_ECDSA ? 'ecdsa' : 'schnorr';
}

/** The Receipt of an event record as JSON (PROTOCOL §3). */
export function receiptOf(enclave: Uint8Array, record: Uint8Array): string {
  const { id, hash, sequencer, seqSig, seq, timestamp, lane, ctl } = readEventRecord(record);
  return receiptTextJson({
    ...{
      id: toHex(id),
      hash: toHex(hash),
      enclave: toHex(enclave),
      sequencer: toHex(sequencer),
      seqSig: toHex(seqSig),
    },
    ...{ seq, timestamp, lane, ctl },
  });
}

/** The event of a record and its content (canonical JSON; ignored when erased) as JSON (PROTOCOL §3, §9). */
export function eventOf(enclave: Uint8Array, record: Uint8Array, content: Uint8Array, status?: EventStatus): string {
  const e = readEventRecord(record);
  const erased = (e.flags & IC_ERASED) !== 0;
  return eventTextJson({
    hash: toHex(e.hash),
    enclave: toHex(enclave),
    from: toHex(e.from),
    type: e.type,
    content: erased ? 'null' : textOf(content),
    contentHash: erased ? toHex(e.contentHash) : undefined,
    exp: e.exp,
    tags: e.flags & IC_TAGS ? e.tags : undefined,
    alg: algOf(e.flags),
    sig: toHex(e.sig),
    timestamp: e.timestamp,
    sequencer: toHex(e.sequencer),
    seq: e.seq,
    seqSig: toHex(e.seqSig),
    id: toHex(e.id),
    lane: e.lane,
    ctl: e.ctl,
    status,
  });
}

export const NO_TARGET: Uint8Array = ZERO32;

export function setU64(view: DataView, at: number, n: number): void {
  view.setBigUint64(at, BigInt(n), true);
}

export function getU64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

export function setI64(view: DataView, at: number, n: number): void {
  view.setBigInt64(at, BigInt(n), true);
}

export function getI64(view: DataView, at: number): number {
  return Number(view.getBigInt64(at, true));
}

function textOf(bytes: Uint8Array): string {
  const text = fromUtf8(bytes);
  if (text === null) throw new RangeError('a record with text that is not UTF-8');
  return text;
}
