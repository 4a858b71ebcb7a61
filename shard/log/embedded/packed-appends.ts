import { asBuffer } from '../bytes.ts';
import { PACKED_HEADER, type WriteGroup } from './writer-messages.ts';

/** Appends that lie one behind the other in one buffer (writer-messages.ts), without unpacking them. */
export function hasDeletes(packed: Buffer, appends: number): boolean {
  for (let i = 0, at = 0; i < appends; i++, at += packed.readUInt32LE(at))
    if (packed.readUInt32LE(at + 8) > 0) return true;
  return false;
}

/** The content of a packed append. */
export function contentOf(one: Buffer): Buffer {
  const start = PACKED_HEADER + one.readUInt32LE(4) + 32 * one.readUInt32LE(8);
  return one.subarray(start, start + one.readUInt32LE(12));
}

export function contentsOf(packed: Buffer, group: WriteGroup): Buffer[] {
  const parts: Buffer[] = [];
  collect(packed, group.appends, parts);
  for (const op of group.ops) if (op.kind === 'replace') collect(asBuffer(op.packed), op.appends, parts);
  return parts;
}

function collect(packed: Buffer, appends: number, parts: Buffer[]): void {
  for (let i = 0, at = 0; i < appends; i++, at += packed.readUInt32LE(at)) {
    const content = contentOf(packed.subarray(at));
    if (content.length > 0) parts.push(content);
  }
}

export function contentLength(packed: Buffer, appends: number): number {
  let length = 0;
  for (let i = 0, at = 0; i < appends; i++, at += packed.readUInt32LE(at)) length += packed.readUInt32LE(at + 12);
  return length;
}
