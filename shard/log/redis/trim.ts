import type { Arg } from '../../redis/script.ts';
import type { Epoch, LogKey } from '../enclave-log.ts';
import { SEGMENT } from '../index-columns.ts';
import { epochBytes, type HeadRow } from './head-row.ts';
import { laneKey, segmentKey } from './keys.ts';
import type { LogReader } from './log-reader.ts';

/** Keys and arguments of trim-n.lua; null if there is nothing to drop. Whole batches go: those that end before `upto`. */
export async function planTrim(
  key: LogKey,
  epoch: Epoch,
  reader: LogReader,
  row: HeadRow,
  upto: number,
): Promise<{ keys: Arg[]; args: Arg[]; trimmed: number } | null> {
  const to = upto > row.head.seq ? row.head.seq + 1 : ((await reader.entriesAt(key, upto))[0]?.firstSeq ?? 0);
  if (to <= row.trimmed) return null;
  const lane = laneKey(key);
  const keys: Arg[] = [lane];
  const changes: Arg[] = [];
  // A batch belongs to the segment that it begins in, closings without events to that of the event before them.
  const last = Math.floor((to - 1) / SEGMENT);
  for (let segment = Math.floor(Math.max(0, row.trimmed - 1) / SEGMENT); segment <= last; segment++) {
    keys.push(segmentKey(lane, segment));
    const place = String(keys.length);
    const fields = (await reader.fetch('HKEYS', segmentKey(lane, segment))) as Buffer[];
    const gone = fields.filter((field) => {
      const seq = segment * SEGMENT + field.readUInt16BE(1);
      return field[0] === CLOSINGS ? seq <= to : seq < to;
    });
    // Meanwhile the owner may append to the last segment: only what was seen goes from it.
    if (segment < last && gone.length === fields.length) changes.push(place, '');
    else for (const field of gone) changes.push(place, Buffer.from(field));
  }
  return { keys, args: [epochBytes(epoch), String(row.trimmed), String(to), ...changes], trimmed: to };
}

/** z, as a byte */
const CLOSINGS = 122;
