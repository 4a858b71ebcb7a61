import type { Head } from '../../kernel/kernel.ts';
import { readInt, writeInt } from './bytes.ts';

/** A head in 80 bytes: i64 seq, bytes32 chain, u64 closed bundles, bytes32 CT root. */
export const HEAD_BYTES = 80;

export function writeHead(bytes: Buffer, head: Head, at: number): void {
  writeInt(bytes, head.seq, at);
  bytes.set(head.chain, at + 8);
  writeInt(bytes, head.bundles, at + 40);
  bytes.set(head.ctRoot, at + 48);
}

export function readHead(bytes: Buffer, at: number): Head {
  return {
    seq: readInt(bytes, at),
    chain: new Uint8Array(bytes.subarray(at + 8, at + 40)),
    bundles: readInt(bytes, at + 40),
    ctRoot: new Uint8Array(bytes.subarray(at + 48, at + 80)),
  };
}

export function sameHead(a: Head, b: Head): boolean {
  return (
    a.seq === b.seq &&
    a.bundles === b.bundles &&
    Buffer.compare(a.chain, b.chain) === 0 &&
    Buffer.compare(a.ctRoot, b.ctRoot) === 0
  );
}

/** The head of a log without events: seq −1, chain = enclave id, no bundle, CT root = sha256(""). */
export function emptyHead(enclave: Uint8Array): Head {
  return { seq: -1, chain: new Uint8Array(enclave), bundles: 0, ctRoot: EMPTY_ROOT };
}

const EMPTY_ROOT = new Uint8Array(
  Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'),
);
