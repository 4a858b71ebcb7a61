import { RECORD_EVENT, TYPES } from '../../../kernel/kernel.ts';
import { erasedRecord } from '../../../protocol/archive-object.ts';
import { asBuffer, readInt } from '../bytes.ts';
import type { EnclaveLog, LogKey } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';

const READ_BYTES = 1 << 20;
const UPDATE = TYPES.indexOf('Update');
const DELETE = TYPES.indexOf('Delete');
const NO_TARGET = Buffer.alloc(32);

/** An event as the log has it. Bytes are views into what was read. */
export interface LoggedEvent {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly content: Uint8Array;
  /** behind the Manifest */
  readonly genesis: Uint8Array | null;
}

/** Events [from, end), which are there. Throws LogDamaged. */
export async function* loggedEvents(
  log: EnclaveLog,
  key: LogKey,
  from: number,
  end: number,
): AsyncGenerator<LoggedEvent> {
  for (let next = from; next < end; ) {
    const first = next;
    for (const { skeleton, content } of await log.read(key, next, READ_BYTES)) {
      const records = asBuffer(skeleton);
      for (let at = 0, place = 0; at < records.length && next < end; at += records.readUInt32LE(at)) {
        if (records[at + 4] !== RECORD_EVENT) continue;
        const length = records.readUInt32LE(at + 44);
        const start = place;
        place += length;
        if (readInt(records, at + 8) !== next) continue;
        const behind = at + records.readUInt32LE(at);
        yield {
          seq: next,
          record: skeleton.subarray(at, behind),
          content: content.subarray(start, place),
          genesis: next === 0 ? genesisAt(records, behind) : null,
        };
        next++;
      }
    }
    if (next === first) throw new LogDamaged(key, next, 'end of the log');
  }
}

function genesisAt(records: Buffer, at: number): Uint8Array {
  return new Uint8Array(records.subarray(at, at + records.readUInt32LE(at)));
}

/** The id that the Delete in this record names, hex; null if it is no Delete. */
export function deletedBy(record: Uint8Array): string | null {
  return record[6] === DELETE ? targetOf(record) : null;
}

/** Is this one of the events whose content goes with a Delete of these ids (hex)? The event itself, or an Update of it. */
export function goesWith(record: Uint8Array, deleted: ReadonlySet<string>): boolean {
  if (deleted.size === 0) return false;
  if (deleted.has(asBuffer(record).toString('hex', 48, 80))) return true;
  const target = record[6] === UPDATE ? targetOf(record) : null;
  return target !== null && deleted.has(target);
}

/** The same event without its content. */
export function withoutContent(event: LoggedEvent): LoggedEvent {
  return event.content.length === 0
    ? event
    : { ...event, record: erasedRecord(event.record), content: event.content.subarray(0, 0) };
}

/** Seqs of the event with this id and of every Update of it, up to `last`. */
export async function eventsOfTarget(log: EnclaveLog, key: LogKey, id: string, last: number): Promise<number[]> {
  const raw = Buffer.from(id, 'hex');
  const seq = await log.findId(key, raw);
  if (seq < 0) return [];
  const seqs = [seq];
  for (const candidate of log.candidates(key, { from: seq, to: last, reverse: false, targets: [raw] })) {
    if (typeof candidate !== 'number' || candidate < 0) {
      await (candidate instanceof Promise ? candidate : new Promise(setImmediate));
      continue;
    }
    const stored = await log.record(key, candidate);
    if (stored?.record[6] === UPDATE && targetOf(stored.record) === id) seqs.push(candidate);
  }
  return seqs;
}

function targetOf(record: Uint8Array): string | null {
  const target = asBuffer(record).subarray(304, 336);
  return target.equals(NO_TARGET) ? null : target.toString('hex');
}
