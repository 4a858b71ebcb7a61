import { createHash } from 'node:crypto';
import { type Head, RECORD_CLOSING, RECORD_EVENT } from '../../kernel/kernel.ts';
import { readInt } from './bytes.ts';
import { sameHead } from './head-bytes.ts';
import { eachRecord } from './records.ts';

/** The head after these records (ARCHITECTURE §3: chain_n = sha256(chain_{n−1} || id_n)). */
export function foldHead(head: Head, skeleton: Buffer): Head {
  let next = head;
  eachRecord(skeleton, (at, _length, kind) => {
    next = foldRecord(next, skeleton, at, kind);
  });
  return next;
}

/** Bytes of the skeleton up to which it leads from `head` to `target`, −1 if it does not pass there. */
export function offsetOfHead(head: Head, skeleton: Buffer, target: Head): number {
  let next = head;
  let found = sameHead(head, target) ? 0 : -1;
  eachRecord(skeleton, (at, length, kind) => {
    next = foldRecord(next, skeleton, at, kind);
    if (found < 0 && sameHead(next, target)) found = at + length;
  });
  return found;
}

function foldRecord(head: Head, skeleton: Buffer, at: number, kind: number): Head {
  if (kind === RECORD_EVENT) {
    const chain = createHash('sha256')
      .update(head.chain)
      .update(skeleton.subarray(at + 48, at + 80))
      .digest();
    return { ...head, seq: readInt(skeleton, at + 8), chain: new Uint8Array(chain) };
  }
  if (kind === RECORD_CLOSING)
    return {
      ...head,
      bundles: readInt(skeleton, at + 8) + 1,
      ctRoot: new Uint8Array(skeleton.subarray(at + 136, at + 168)),
    };
  return head;
}
