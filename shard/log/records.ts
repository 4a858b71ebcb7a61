import type { LogKey } from './enclave-log.ts';
import { LogDamaged } from './log-errors.ts';

/** Calls `visit` for every record with its offset in the skeleton. Throws LogDamaged on lengths that do not add up. */
export function eachRecord(
  skeleton: Buffer,
  visit: (at: number, length: number, kind: number) => void,
  key: LogKey | null = null,
): void {
  let at = 0;
  while (at < skeleton.length) {
    const length = at + 8 > skeleton.length ? 0 : skeleton.readUInt32LE(at);
    if (length < 272 || (length & 7) !== 0 || at + length > skeleton.length) throw new LogDamaged(key, -1, 'record');
    visit(at, length, skeleton[at + 4] as number);
    at += length;
  }
}
