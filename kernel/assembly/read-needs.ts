import { OUT } from './input';
import { Buf } from './memory';

/**
 * What a read wants from the log (`Need` of kernel/kernel.ts). A read runs from its start on every call, takes answers in
 * the order of its questions, and where they end returns the questions that it has then.
 */
export const NEED_NODE: u32 = 1;
export const NEED_CLOSING: u32 = 2;
export const NEED_IDS: u32 = 3;
export const NEED_EVENT: u32 = 4;
export const NEED_CLOSING_OF: u32 = 5;

/** Results of a read beside 0 and error numbers: it has questions; it was called in a wrong way. */
export const NEED: i32 = -1;
export const WRONG_CALL: i32 = -2;

/** Where each answer begins (its length, then its bytes at + 8), u32 each. */
const ANSWERS = changetype<Buf>(memory.data(12, 8));
/** Questions of this run: u32 kind, u32 zero, u64 a, u64 b each. */
const NEEDS = changetype<Buf>(memory.data(12, 8));
let taken: u32 = 0;

export function need(kind: u32, a: u64, b: u64): void {
  NEEDS.u32(kind);
  NEEDS.u32(0);
  NEEDS.u64(a);
  NEEDS.u64(b);
}

/** Takes the answers to what was asked since the last call: index of the first, −1 if they are not there. */
export function ask(): i32 {
  const n = <u32>(NEEDS.len / 24);
  if (taken + n > <u32>(ANSWERS.len / 4)) return -1;
  NEEDS.clear();
  taken += n;
  return taken - n;
}

export function answerPtr(i: u32): usize {
  return <usize>load<u32>(ANSWERS.ptr + (<usize>i << 2)) + 8;
}

export function answerLen(i: u32): usize {
  return load<u32>(<usize>load<u32>(ANSWERS.ptr + (<usize>i << 2)));
}

/** Starts a read: its answers, `count` of them, are at `at` (u32 length, u32 zero, bytes padded to 8 each). */
export function openAnswers(at: usize, count: u32): void {
  ANSWERS.clear();
  NEEDS.clear();
  taken = 0;
  for (let i: u32 = 0; i < count; i++) {
    ANSWERS.u32(<u32>at);
    at += 8 + ((<usize>load<u32>(at) + 7) & ~7);
  }
}

/** Ends a read: if it has questions, they are the output. */
export function closeAnswers(result: i32): void {
  if (result == NEED) {
    OUT.clear();
    OUT.bytes(NEEDS.ptr, NEEDS.len);
  }
  ANSWERS.trim(4096);
  NEEDS.trim(8192);
}
