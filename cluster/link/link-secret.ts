import { readFileSync } from 'node:fs';

/** Short of this a secret can be found by trying. */
const MIN_BYTES = 32;
const MAX_BYTES = 4096;

/**
 * The secret that every router and shard of a cluster shares: the bytes of a file, less white space at its end. Throws a
 * sentence, without a byte of the secret, if the file can't be read or is too short.
 */
export function readLinkSecret(path: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`the link secret ${path} can not be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
  let end = bytes.length;
  while (end > 0 && [0x20, 0x0a, 0x0d, 0x09].includes(bytes[end - 1] as number)) end--;
  if (end < MIN_BYTES || end > MAX_BYTES)
    throw new Error(
      `the link secret ${path} must have ${MIN_BYTES} to ${MAX_BYTES} bytes: make one with 32 random bytes`,
    );
  return bytes.subarray(0, end);
}
