import { alloc, allocZero, copy32, release, same32 } from './memory';

/**
 * Retention marks (PROTOCOL §5): (identity, column) → the seq up to which it may still read by that column. A hash table;
 * entries never go.
 *
 * Entry: identity32, u32 column, u32 taken, u64 seq
 */
const ENTRY: usize = 48;
const COLUMN: usize = 32;
const TAKEN: usize = 36;
const SEQ: usize = 40;

let entries: usize = 0;
let mask: u32 = 0;
let taken: u32 = 0;

function slot(identity: usize, column: u32): usize {
  let i = (load<u32>(identity, 4) ^ (column * 0x9e3779b1)) & mask;
  let entry = entries + <usize>i * ENTRY;
  while (load<u32>(entry, TAKEN) && !(load<u32>(entry, COLUMN) == column && same32(entry, identity))) {
    i = (i + 1) & mask;
    entry = entries + <usize>i * ENTRY;
  }
  return entry;
}

export function markCount(): u32 {
  return taken;
}

/** The mark of (identity, column), −1 without one. */
export function markOf(identity: usize, column: u32): i64 {
  if (!entries) return -1;
  const entry = slot(identity, column);
  return load<u32>(entry, TAKEN) ? load<i64>(entry, SEQ) : -1;
}

/** Makes or moves a mark. */
export function setMark(identity: usize, column: u32, seq: i64): void {
  if (!entries) {
    mask = 7;
    entries = allocZero(8 * ENTRY);
  } else if (taken * 2 > mask) {
    grow();
  }
  const entry = slot(identity, column);
  if (!load<u32>(entry, TAKEN)) taken++;
  copy32(entry, identity);
  store<u32>(entry, column, COLUMN);
  store<u32>(entry, 1, TAKEN);
  store<i64>(entry, seq, SEQ);
}

function grow(): void {
  const old = entries;
  const end = old + (<usize>mask + 1) * ENTRY;
  mask = mask * 2 + 1;
  entries = allocZero((<usize>mask + 1) * ENTRY);
  for (let from = old; from < end; from += ENTRY) {
    if (load<u32>(from, TAKEN)) memory.copy(slot(from, load<u32>(from, COLUMN)), from, ENTRY);
  }
  release(old);
}

function before(a: usize, b: usize): bool {
  const order = memory.compare(a, b, 32);
  return order ? order < 0 : load<u32>(a, COLUMN) < load<u32>(b, COLUMN);
}

/** Marks by (identity, column), 48 bytes each: identity32, u32 column, u32 zero, u64 seq. Returns the end. */
export function exportMarks(to: usize): usize {
  if (!taken) return to;
  const order = alloc(<usize>taken << 2);
  let n: usize = 0;
  for (let i: usize = 0; i <= <usize>mask; i++) {
    const entry = entries + i * ENTRY;
    if (load<u32>(entry, TAKEN)) {
      store<u32>(order + (n << 2), <u32>entry);
      n++;
    }
  }
  for (let i = n / 2; i > 0; i--) sift(order, i - 1, n);
  for (let end = n - 1; end > 0; end--) {
    const top = load<u32>(order);
    store<u32>(order, load<u32>(order + (end << 2)));
    store<u32>(order + (end << 2), top);
    sift(order, 0, end);
  }
  for (let i: usize = 0; i < n; i++) {
    memory.copy(to, <usize>load<u32>(order + (i << 2)), ENTRY);
    store<u32>(to, 0, TAKEN);
    to += ENTRY;
  }
  release(order);
  return to;
}

function sift(order: usize, at: usize, count: usize): void {
  for (;;) {
    let child = at * 2 + 1;
    if (child >= count) return;
    if (child + 1 < count && before(load<u32>(order + (child << 2)), load<u32>(order + ((child + 1) << 2)))) child++;
    const a = load<u32>(order + (at << 2));
    const b = load<u32>(order + (child << 2));
    if (!before(a, b)) return;
    store<u32>(order + (at << 2), b);
    store<u32>(order + (child << 2), a);
    at = child;
  }
}
