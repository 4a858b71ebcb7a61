import { concat, equalBytes, pad8, viewOf } from './bytes.ts';
import { sha256 } from './hash.ts';
import { IC_ERASED, RECORD_EVENT, RULES_VERSION } from './layout.ts';
import { getU64, setU64, splitRecords } from './records.ts';

/**
 * A closed bundle as the archive keeps it. Little-endian, records in the layouts of kernel/kernel.ts:
 *   0 u8 format version (1)   1 "ENCARCH"   8 u16 rules version   10 u16 part   12 u32 lane
 *  16 bytes32 enclave
 *  48 u64 bundle (CT leaf index)   56 u64 first seq   64 u32 events of the bundle   68 u32 events of this part
 *  72 u64 first seq of this part   80 u32 ids   84 u32 closing length   88 u32 records length   92 u32 contents length
 *  96 bytes32 sha256 of bytes 0 … 95 and of all from 128 to the contents
 * 128 ids of all events of the bundle (32 each), if it has several parts; else none
 *     records: the events of this part, behind the Manifest the genesis record
 *     closing record of the bundle: with its signature it is the tree head at bundle + 1
 *     contents of the events, one behind the other
 * Every part can be checked alone against the closing, and the closings of an archive prove each other. The sum leaves
 * the contents out, because a Delete overwrites a content with zeros, in place; what is left is pinned by content_hash.
 */
export const ARCHIVE_VERSION = 1;
export const ARCHIVE_HEADER = 128;
/** Contents and records of one part at most, unless a single event is larger: what a reader holds in memory. Part of the
 *  format: archivers of one bundle have to agree. */
export const ARCHIVE_PART_BYTES = 8 * 1024 * 1024;

/** No object is larger: the largest commit that a node can be set to take (64 MiB) as canonical JSON, and its bundle's ids. */
export const ARCHIVE_OBJECT_BYTES = 512 * 1024 * 1024;

const MAGIC = Uint8Array.of(0x45, 0x4e, 0x43, 0x41, 0x52, 0x43, 0x48);
const SUM = 96;
const SUMMED = 96;
/** Where an event record holds the length of its content, and its flags. */
const CONTENT_LENGTH = 44;
const FLAGS = 5;

export interface ArchivePart {
  readonly rules: number;
  readonly part: number;
  readonly lane: number;
  readonly enclave: Uint8Array;
  /** CT leaf index */
  readonly bundle: number;
  /** of the bundle */
  readonly firstSeq: number;
  readonly size: number;
  /** of this part */
  readonly from: number;
  readonly events: number;
  /** of all events of the bundle, 32 bytes each, if it has several parts; else empty */
  readonly ids: Uint8Array;
  readonly records: Uint8Array;
  readonly closing: Uint8Array;
  readonly contents: Uint8Array;
}

/** An object of the archive that is not what it should be: damaged, cut, exchanged or made up. */
export class ArchiveDamaged extends Error {
  override readonly name = 'ArchiveDamaged';
}

/** Written by a newer version. */
export class ArchiveFormat extends Error {
  override readonly name = 'ArchiveFormat';
}

export function damagedUnless(holds: unknown, what: string): asserts holds {
  if (!holds) throw new ArchiveDamaged(what);
}

export function buildArchivePart(part: ArchivePart): Uint8Array {
  const head = new Uint8Array(ARCHIVE_HEADER);
  const view = viewOf(head);
  head[0] = ARCHIVE_VERSION;
  head.set(MAGIC, 1);
  view.setUint16(8, part.rules, true);
  view.setUint16(10, part.part, true);
  view.setUint32(12, part.lane, true);
  head.set(part.enclave, 16);
  setU64(view, 48, part.bundle);
  setU64(view, 56, part.firstSeq);
  view.setUint32(64, part.size, true);
  view.setUint32(68, part.events, true);
  setU64(view, 72, part.from);
  view.setUint32(80, part.ids.length / 32, true);
  view.setUint32(84, part.closing.length, true);
  view.setUint32(88, part.records.length, true);
  view.setUint32(92, part.contents.length, true);
  head.set(sha256(head.subarray(0, SUMMED), part.ids, part.records, part.closing), SUM);
  return concat(head, part.ids, part.records, part.closing, part.contents);
}

/**
 * Takes an object apart: shape and sum, not what it says (archive-check.ts does that). Byte fields are views. Throws
 * ArchiveDamaged, or ArchiveFormat on a newer version.
 */
export function readArchivePart(bytes: Uint8Array): ArchivePart {
  damagedUnless(bytes.length >= ARCHIVE_HEADER && equalBytes(bytes.subarray(1, 8), MAGIC), 'it is no archived bundle');
  const view = viewOf(bytes);
  const version = bytes[0] as number;
  if (version > ARCHIVE_VERSION)
    throw new ArchiveFormat(`It has format ${version}, this version reads up to ${ARCHIVE_VERSION}: use a newer one.`);
  damagedUnless(version === ARCHIVE_VERSION, 'it is no archived bundle');
  const rules = view.getUint16(8, true);
  if (rules > RULES_VERSION)
    throw new ArchiveFormat(`It was made under rules ${rules}, this version knows ${RULES_VERSION}: use a newer one.`);
  damagedUnless(rules > 0, 'its header is malformed');
  const lengths = [32 * view.getUint32(80, true), view.getUint32(88, true), view.getUint32(84, true)] as const;
  const contentsAt = ARCHIVE_HEADER + lengths[0] + lengths[1] + lengths[2];
  damagedUnless(bytes.length === contentsAt + view.getUint32(92, true), 'its length is not what its header says');
  damagedUnless(
    equalBytes(sha256(bytes.subarray(0, SUMMED), bytes.subarray(ARCHIVE_HEADER, contentsAt)), bytes.subarray(SUM, 128)),
    'its sum is wrong',
  );
  const numbers = [48, 56, 72].map((at) => view.getBigUint64(at, true));
  damagedUnless(
    numbers.every((n) => n <= BigInt(Number.MAX_SAFE_INTEGER)),
    'its header is malformed',
  );
  const recordsAt = ARCHIVE_HEADER + lengths[0];
  const closingAt = recordsAt + lengths[1];
  return {
    rules,
    part: view.getUint16(10, true),
    lane: view.getUint32(12, true),
    enclave: bytes.subarray(16, 48),
    bundle: getU64(view, 48),
    firstSeq: getU64(view, 56),
    size: view.getUint32(64, true),
    from: getU64(view, 72),
    events: view.getUint32(68, true),
    ids: bytes.subarray(ARCHIVE_HEADER, recordsAt),
    records: bytes.subarray(recordsAt, closingAt),
    closing: bytes.subarray(closingAt, contentsAt),
    contents: bytes.subarray(contentsAt),
  };
}

/** One event of a part. `content` is empty if it was erased, before or since the part was written. */
export interface ArchivedEvent {
  readonly record: Uint8Array;
  readonly content: Uint8Array;
  readonly erased: boolean;
  /** where its content stands in the object, erased or not */
  readonly at: number;
  readonly length: number;
}

/** The records of a part in order, events with their contents; others (genesis) as `null` content. Throws ArchiveDamaged. */
export function* archivedRecords(part: ArchivePart): Generator<ArchivedEvent | { readonly genesis: Uint8Array }> {
  const contentsAt = ARCHIVE_HEADER + part.ids.length + part.records.length + part.closing.length;
  let at = 0;
  for (const record of recordsOf(part.records)) {
    if (record[4] !== RECORD_EVENT) {
      yield { genesis: record };
      continue;
    }
    damagedUnless(record.length >= pad8(376), 'a record of it is malformed');
    const length = viewOf(record).getUint32(CONTENT_LENGTH, true);
    damagedUnless(at + length <= part.contents.length, 'its contents do not fit its records');
    const content = part.contents.subarray(at, at + length);
    // Contents are canonical JSON, which never begins with a zero byte.
    const erased = length === 0 || content.every((byte) => byte === 0);
    yield {
      record,
      content: erased ? content.subarray(0, 0) : content,
      erased,
      at: contentsAt + at,
      length,
    };
    at += length;
  }
  damagedUnless(at === part.contents.length, 'its contents do not fit its records');
}

/** The record as the log keeps it once the content is gone. */
export function erasedRecord(record: Uint8Array): Uint8Array {
  const copy = record.slice();
  copy[FLAGS] = (copy[FLAGS] as number) | IC_ERASED;
  viewOf(copy).setUint32(CONTENT_LENGTH, 0, true);
  return copy;
}

function recordsOf(bytes: Uint8Array): Uint8Array[] {
  try {
    return [...splitRecords(bytes)];
  } catch (error) {
    if (error instanceof RangeError) throw new ArchiveDamaged('its records do not add up');
    throw error;
  }
}
