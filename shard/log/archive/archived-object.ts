import { archiveCheckSteps, type CheckedPart, recordNow } from '../../../protocol/archive-check.ts';
import { archiveName } from '../../../protocol/archive-name.ts';
import {
  ArchiveDamaged,
  ArchiveFormat,
  type ArchivePart,
  archivedRecords,
  damagedUnless,
  erasedRecord,
  readArchivePart,
} from '../../../protocol/archive-object.ts';
import { equalBytes } from '../../../protocol/bytes.ts';
import { type EnclaveId, hex32 } from '../../../protocol/hex.ts';
import type { Verifier } from '../../../protocol/secp.ts';
import type { LogKey } from '../enclave-log.ts';
import { ArchiveConflict } from './archive-errors.ts';
import type { ByteRange } from './object-store.ts';

/** Requests must not wait behind a check for longer, ms. */
const SLICE_MS = 2;

export function objectName(key: LogKey, bundle: number, part: number): string {
  return archiveName({ enclave: hex32<EnclaveId>(key.enclave), lane: key.lane, bundle, part });
}

/** The object as a part of the bundle that its name and the log's closing say. Throws ArchiveDamaged, ArchiveFormat. */
function readPart(bytes: Uint8Array, key: LogKey, closing: Uint8Array, bundle: number, part: number): ArchivePart {
  const found = readArchivePart(bytes);
  damagedUnless(
    equalBytes(found.enclave, key.enclave) &&
      found.lane === key.lane &&
      found.bundle === bundle &&
      found.part === part &&
      found.closing.length === closing.length,
    'it holds another bundle than its name says',
  );
  return found;
}

/**
 * The same, checked: hashes of all events, which lead to the root in the log's own closing. That root is one over hashes of
 * both signatures, so these need not be verified again; the tree head's signature is.
 */
export async function checkPart(
  bytes: Uint8Array,
  key: LogKey,
  closing: Uint8Array,
  bundle: number,
  part: number,
  verifier: Verifier,
): Promise<CheckedPart> {
  const found = readPart(bytes, key, closing, bundle, part);
  const steps = archiveCheckSteps(found, { verifier, signatures: false, closing });
  for (let since = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise(setImmediate);
    since = performance.now();
  }
}

/** Runs a check of an object; what is wrong with it becomes ArchiveConflict. */
export async function conflicting<T>(object: string, check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof ArchiveDamaged || error instanceof ArchiveFormat)
      throw new ArchiveConflict(object, error.message.replace(/\.$/, ''));
    throw error;
  }
}

/** Seqs whose contents the log still has and the object has not: they were taken out, and no Delete did it. */
export function withheldBy(theirs: CheckedPart, ours: ArchivePart): number[] {
  const mine = new Map<number, { record: Uint8Array; erased: boolean }>();
  let seq = ours.from;
  for (const item of archivedRecords(ours)) if ('record' in item) mine.set(seq++, item);
  const withheld: number[] = [];
  for (const event of theirs.events) {
    const own = mine.get(event.event.seq);
    if (own === undefined) continue;
    const one = event.erased || own.erased ? erasedRecord(recordNow(event)) : event.record;
    const other = event.erased || own.erased ? erasedRecord(own.record) : own.record;
    damagedUnless(equalBytes(one, other), `event ${event.event.seq} was sent in another form`);
    if (event.erased && !own.erased) withheld.push(event.event.seq);
  }
  return withheld;
}

/**
 * Where the contents of these events lie in an object, those that are gone left out. The contents are not checked: an
 * erasure that was cut off has left one that is neither there nor gone.
 */
export function contentRanges(
  bytes: Uint8Array,
  key: LogKey,
  closing: Uint8Array,
  bundle: number,
  part: number,
  seqs: ReadonlySet<number>,
): ByteRange[] {
  const found = readPart(bytes, key, closing, bundle, part);
  const ranges: ByteRange[] = [];
  let seq = found.from;
  for (const item of archivedRecords(found)) {
    if (!('record' in item)) continue;
    if (seqs.has(seq) && !item.erased) ranges.push({ offset: item.at, length: item.length });
    seq++;
  }
  return ranges;
}
