import { equalBytes, utf8 } from '../../protocol/bytes.ts';
import { commitHash, contentHash, type Tags } from '../../protocol/hash.ts';
import { hex32, type PublicKey } from '../../protocol/hex.ts';
import { targetOf, typeNumber } from '../../protocol/inspect.ts';
import { type Json, parseJson } from '../../protocol/json.ts';
import {
  type EventRecord,
  type InspectedCommit,
  NO_TARGET,
  readClosingRecord,
  readEventRecord,
  recordKind,
  splitRecords,
} from '../../protocol/records.ts';
import { IC_ERASED, IC_TAGS, IC_TARGET, RECORD_EVENT, RECORD_GENESIS } from '../kernel.ts';

/** Both return the records that they make, or an error number. */
export interface Folding {
  event(
    commit: InspectedCommit,
    timestamp: number,
    sequencer: Uint8Array,
    seqSig: Uint8Array,
    extra: Uint8Array | undefined,
  ): Uint8Array[] | number;
  closing(t: number, sthSig: Uint8Array): Uint8Array[] | number;
}

/**
 * Folds stored records and compares what comes out with them, byte for byte: so ids, hashes, roots and order are those
 * of the log. Throws on a difference, and on an event that the rules refuse.
 */
export function replayRecords(enclave: Uint8Array, skeleton: Uint8Array, content: Uint8Array, folding: Folding): void {
  const records = [...splitRecords(skeleton)];
  const made: Uint8Array[] = [];
  let at = 0;
  for (const [i, record] of records.entries()) {
    if (recordKind(record) === RECORD_EVENT) {
      const event = readEventRecord(record);
      const commit = commitOf(enclave, event, content.slice(at, at + event.contentLength));
      at += event.contentLength;
      const next = records[i + 1];
      const genesis =
        next !== undefined && recordKind(next) === RECORD_GENESIS ? readClosingRecord(next).sthSig.slice() : undefined;
      const target = event.type === 'Update' ? event.target.slice() : genesis;
      made.push(
        ...orThrow(
          folding.event(commit, event.timestamp, event.sequencer.slice(), event.seqSig.slice(), target),
          event.seq,
        ),
      );
    } else if (recordKind(record) !== RECORD_GENESIS) {
      const closing = readClosingRecord(record);
      made.push(...orThrow(folding.closing(closing.t, closing.sthSig.slice()), closing.firstSeq));
    }
    const expected = made.shift();
    if (expected === undefined || !equalBytes(expected, asErased(record)))
      throw new Error(`record ${i} of a replay differs from its fold`);
  }
  if (at !== content.length || made.length > 0)
    throw new Error('contents and records of a replay do not belong together');
}

function orThrow(result: Uint8Array[] | number, seq: number): Uint8Array[] {
  if (typeof result === 'number') throw new Error(`the rules refuse the stored event at seq ${seq}: error ${result}`);
  return result;
}

/** A record whose content has been erased in the log says so by its length alone. */
function asErased(record: Uint8Array): Uint8Array {
  if (recordKind(record) !== RECORD_EVENT || readEventRecord(record).contentLength > 0) return record;
  const copy = record.slice();
  copy[5] = (copy[5] as number) | IC_ERASED;
  return copy;
}

/** The commit that the record claims, with everything that follows from other fields computed again. */
function commitOf(enclave: Uint8Array, event: EventRecord, content: Uint8Array): InspectedCommit {
  const erased = content.length === 0;
  const { type, exp } = event;
  const from = event.from.slice();
  const tags = event.tags === '' ? undefined : (parse(utf8(event.tags)) as Tags);
  const value = erased ? null : parse(content);
  const hashed = erased ? event.contentHash.slice() : contentHash(value);
  const claimed = { type, from: hex32<PublicKey>(from), content: value, ...(tags === undefined ? {} : { tags }) };
  const target = erased ? event.target.slice() : targetOf(claimed);
  const derived = IC_TAGS | IC_TARGET | IC_ERASED;
  const flags =
    (event.flags & ~derived) |
    (tags === undefined ? 0 : IC_TAGS) |
    (erased ? event.flags & IC_TARGET : target === null ? 0 : IC_TARGET) |
    (erased ? IC_ERASED : 0);
  return {
    code: 0,
    flags,
    typeNumber: typeNumber(type),
    textStart: 0,
    textLength: 0,
    exp,
    enclave,
    from,
    hash: commitHash({ enclave, from, type, contentHash: hashed, exp, tags: tags ?? [] }),
    sig: event.sig.slice(),
    contentHash: hashed,
    target: target ?? NO_TARGET,
    type,
    tags: event.tags,
    content,
  };
}

function parse(bytes: Uint8Array): Json {
  const parsed = parseJson(bytes);
  if (parsed === null) throw new Error('stored text that is not JSON');
  return parsed.value;
}
