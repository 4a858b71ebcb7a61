/** The two buffers through which bytes go in and out, shared by all calls of an instance. */
import { Buf } from './memory';

const KEEP: usize = 131072;
const SMALL: usize = 65536;

// @ts-ignore: decorator
@lazy
export const IN: Buf = changetype<Buf>(memory.data(12, 8));
// @ts-ignore: decorator
@lazy
export const OUT: Buf = changetype<Buf>(memory.data(12, 8));

/** Where the caller puts `len` bytes before a call that reads them; valid until the next `input`. */
export function input(len: usize): usize {
  if (len <= SMALL && IN.cap > KEEP) IN.trim(0);
  IN.clear();
  const p = IN.reserve(len);
  IN.len = len;
  return p;
}

/** Empties the output, and gives back what a large answer left behind. */
export function freshOutput(): Buf {
  OUT.trim(KEEP);
  return OUT;
}

/** The answer of the last call: address and length. Valid until the next call. */
export function outPtr(): usize {
  return OUT.ptr;
}

export function outLen(): usize {
  return OUT.len;
}
