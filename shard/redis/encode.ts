import type { Arg } from './script.ts';

/** Bytes of one command in the Redis protocol (RESP: `*n`, then `$length`, bytes for each part). */
export function commandBytes(parts: readonly Arg[]): number {
  let bytes = digits(parts.length) + 3;
  for (const part of parts) bytes += part.length + digits(part.length) + 5;
  return bytes;
}

/** Writes one command at `at`; returns where it ends. Text must be ASCII. */
export function writeCommand(out: Buffer, parts: readonly Arg[], start: number): number {
  let at = writeCount(out, 42, parts.length, start);
  for (const part of parts) {
    at = writeCount(out, 36, part.length, at);
    if (typeof part === 'string') out.write(part, at, 'latin1');
    else out.set(part, at);
    at += part.length;
    out[at++] = 13;
    out[at++] = 10;
  }
  return at;
}

function writeCount(out: Buffer, type: number, count: number, start: number): number {
  let at = start;
  out[at++] = type;
  at += out.write(String(count), at, 'latin1');
  out[at++] = 13;
  out[at++] = 10;
  return at;
}

function digits(count: number): number {
  let n = 1;
  for (let rest = count; rest >= 10; rest = Math.floor(rest / 10)) n++;
  return n;
}
