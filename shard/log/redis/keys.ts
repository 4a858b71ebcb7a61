import type { Head } from '../../../kernel/kernel.ts';
import { asBuffer, readKeyInt } from '../bytes.ts';
import type { LogKey } from '../enclave-log.ts';
import { SEGMENT } from '../index-columns.ts';
import { BLOCK, BLOCK_SEGMENTS } from '../index-rows.ts';
import { KEY_PREFIX, NUMBER_KEY } from '../row-keys.ts';

/**
 * Keys in Redis. All those of an enclave share the hash tag {enclave in base64url} (as in the guard's
 * Redis), so a cluster keeps them on one node:
 *   {enclave}:lane        lane hash: h head row, m moved away, a archive cursor, k<be32 index> the first closings
 *   {enclave}:lane:e<n>   batches that begin in segment n (4,096 events): s<be16 place> without contents, c<be16 place>
 *                         contents, z<be16 place, be16 n> closings without events
 *   {enclave}:lane:k<n>   further closings, 1,024 each: k<be32 index>
 *   {enclave}:lane:p      checkpoints: be64 head seq, kind
 *   {enclave}:lane:d      Deletes still to be carried out: set of event ids
 *   {enclave}:lane:i<n>   index rows of segment n: table, part
 *   {enclave}:lane:j<n>   index rows of a block of 16 segments
 * Those of the server. (In a cluster there would be one of each per slot, in the same places of the scripts.)
 */
export const LOGS = 'enc:log:logs';
export const DUE = 'enc:log:due';
export const ERASURES = 'enc:log:erasures';
export const MOVING = 'enc:log:moving';
export const SERVER = 'enc:log:server';
export const BEAT = 'enc:log:beat';

/** Closings that the lane hash holds itself: most enclaves then need no further key. */
const NEAR_CLOSINGS = 128;
const CLOSINGS = 1024;

export function laneKey(key: LogKey): string {
  const { enclave } = key;
  return `{${asBuffer(enclave).toString('base64url')}}:${key.lane}`;
}

export function segmentKey(lane: string, segment: number): string {
  return `${lane}:e${segment}`;
}

export function closingKey(lane: string, index: number): string {
  return index < NEAR_CLOSINGS ? lane : `${lane}:k${Math.floor(index / CLOSINGS)}`;
}

/** Keys that may hold closings from `index` up to before `end`, the lane hash itself left out. */
export function closingKeys(lane: string, index: number, end: number): string[] {
  const keys: string[] = [];
  for (let n = Math.floor(index / CLOSINGS); n * CLOSINGS < end; n++) keys.push(`${lane}:k${n}`);
  return keys;
}

/** All keys of a log with this head, the lane hash first, besides the Deletes; some may not be there. */
export function keysOf(lane: string, head: Head): string[] {
  const keys = [lane, checkpointsKey(lane), ...closingKeys(lane, 0, head.bundles)];
  for (let n = 0; n * SEGMENT <= head.seq + 1; n++) {
    keys.push(segmentKey(lane, n), `${lane}:i${n}`);
    if (n % BLOCK_SEGMENTS === 0) keys.push(`${lane}:j${n / BLOCK_SEGMENTS}`);
  }
  return keys;
}

export function nearClosings(index: number, end: number): Buffer[] {
  const fields: Buffer[] = [];
  for (let i = index; i < Math.min(end, NEAR_CLOSINGS); i++) fields.push(closingField(i));
  return fields;
}

export function closingField(index: number): Buffer {
  const field = Buffer.allocUnsafe(5);
  field[0] = 107;
  field.writeUInt32BE(index, 1);
  return field;
}

export const checkpointsKey = (lane: string): string => `${lane}:p`;
export const deletesKey = (lane: string): string => `${lane}:d`;

/** be16 place of a batch in its segment. */
export function placeBytes(place: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16BE(place, 0);
  return bytes;
}

/** Where an index row (index-rows.ts) is kept. */
export function indexPlace(rowKey: Buffer): { key: string; field: Buffer } {
  const lane = laneKey({ enclave: rowKey.subarray(0, 32), lane: rowKey.readUInt32BE(32) });
  const table = rowKey[KEY_PREFIX] as number;
  const number = rowKey.readUInt32BE(KEY_PREFIX + 1);
  return {
    key: `${lane}:${table < BLOCK ? 'i' : 'j'}${number}`,
    field: Buffer.from([table, rowKey[KEY_PREFIX + 5] as number]),
  };
}

/** A checkpoint row's key (checkpoint-store.ts) behind its prefix. */
export function checkpointField(rowKey: Buffer): Buffer {
  return rowKey.subarray(KEY_PREFIX);
}

export function checkpointRowKey(prefix: Buffer, field: Buffer): Buffer {
  return Buffer.concat([prefix, field]);
}

/** Head seq in a checkpoint row's key. */
export function checkpointSeq(rowKey: Buffer): number {
  return readKeyInt(rowKey, NUMBER_KEY - 8);
}
