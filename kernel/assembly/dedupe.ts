import { copy32, same32 } from './memory';

/**
 * Accepted commits by hash (PROTOCOL §3): 256 open-addressing tables by the first byte of the hash, each of its own
 * size, so that one rehash is short. A table that is full first forgets the commits whose exp ≤ the head's timestamp:
 * nobody can see when, because such a commit is `expired` before it is looked up. So memory follows the unexpired ones.
 *
 * Entry: hash32, u64 exp, u64 seq + 1 (0 = free)
 */
const ENTRY: usize = 48;
const EXP: usize = 32;
const SEQ: usize = 40;
/** Per table: u32 entries, u32 capacity − 1 (a power of two), u32 used. */
const TABLES: usize = memory.data(256 * 12, 8);
const FIRST_CAPACITY: u32 = 4;

// @ts-ignore: decorator
@inline
function tableOf(hash: usize): usize {
  return TABLES + <usize>load<u8>(hash) * 12;
}

/** The entry of a hash, or the free one where it belongs. */
function slot(entries: usize, mask: u32, hash: usize): usize {
  let i = load<u32>(hash, 1) & mask;
  let entry = entries + <usize>i * ENTRY;
  while (load<u64>(entry, SEQ) && !same32(entry, hash)) {
    i = (i + 1) & mask;
    entry = entries + <usize>i * ENTRY;
  }
  return entry;
}

/** seq of the accepted commit with this hash, −1 if none is known. */
export function dedupeFind(hash: usize): i64 {
  const table = tableOf(hash);
  const entries = <usize>load<u32>(table);
  return entries ? load<i64>(slot(entries, load<u32>(table, 4), hash), SEQ) - 1 : -1;
}

function resize(table: usize, headTime: u64): void {
  const entries = <usize>load<u32>(table);
  const capacity = load<u32>(table, 4) + 1;
  let live: u32 = 0;
  for (let i: u32 = 0; i < capacity; i++) {
    const entry = entries + <usize>i * ENTRY;
    if (load<u64>(entry, SEQ) && load<u64>(entry, EXP) > headTime) live++;
  }
  let next = FIRST_CAPACITY;
  while (next < live * 2 + 1) next <<= 1;
  const fresh = heap.alloc(<usize>next * ENTRY);
  memory.fill(fresh, 0, <usize>next * ENTRY);
  for (let i: u32 = 0; i < capacity; i++) {
    const entry = entries + <usize>i * ENTRY;
    if (!load<u64>(entry, SEQ) || load<u64>(entry, EXP) <= headTime) continue;
    memory.copy(slot(fresh, next - 1, entry), entry, ENTRY);
  }
  heap.free(entries);
  store<u32>(table, <u32>fresh);
  store<u32>(table, next - 1, 4);
  store<u32>(table, live, 8);
}

/** Remembers an accepted commit. `headTime`: entries with exp ≤ it may go. */
export function dedupeAdd(hash: usize, exp: u64, seq: i64, headTime: u64): void {
  const table = tableOf(hash);
  if (!load<u32>(table)) {
    const entries = heap.alloc(<usize>FIRST_CAPACITY * ENTRY);
    memory.fill(entries, 0, <usize>FIRST_CAPACITY * ENTRY);
    store<u32>(table, <u32>entries);
    store<u32>(table, FIRST_CAPACITY - 1, 4);
    store<u32>(table, 0, 8);
  }
  const capacity = load<u32>(table, 4) + 1;
  if ((load<u32>(table, 8) + 1) * 4 > capacity * 3) resize(table, headTime);
  const entry = slot(<usize>load<u32>(table), load<u32>(table, 4), hash);
  copy32(entry, hash);
  store<u64>(entry, exp, EXP);
  if (!load<u64>(entry, SEQ)) store<u32>(table, load<u32>(table, 8) + 1, 8);
  store<i64>(entry, seq + 1, SEQ);
}

// @ts-ignore: decorator
@inline
function exported(entry: usize, fromSeq: i64, toSeq: i64, headTime: u64): bool {
  const seq = load<i64>(entry, SEQ) - 1;
  return seq >= 0 && seq >= fromSeq && seq <= toSeq && load<u64>(entry, EXP) > headTime;
}

/** Bytes that `dedupeExport` would write. */
export function dedupeExportSize(fromSeq: i64, toSeq: i64, headTime: u64): usize {
  let count: usize = 0;
  for (let table = TABLES; table < TABLES + 256 * 12; table += 12) {
    const entries = <usize>load<u32>(table);
    if (!entries) continue;
    const end = entries + (<usize>load<u32>(table, 4) + 1) * ENTRY;
    for (let entry = entries; entry < end; entry += ENTRY) if (exported(entry, fromSeq, toSeq, headTime)) count++;
  }
  return count * ENTRY;
}

/** (hash32, u64 exp, u64 seq) of the accepted commits with fromSeq ≤ seq ≤ toSeq and exp > headTime, by seq. */
export function dedupeExport(fromSeq: i64, toSeq: i64, headTime: u64, to: usize, size: usize): void {
  let at = to;
  for (let table = TABLES; table < TABLES + 256 * 12; table += 12) {
    const entries = <usize>load<u32>(table);
    if (!entries) continue;
    const end = entries + (<usize>load<u32>(table, 4) + 1) * ENTRY;
    for (let entry = entries; entry < end; entry += ENTRY) {
      if (!exported(entry, fromSeq, toSeq, headTime)) continue;
      memory.copy(at, entry, ENTRY);
      store<i64>(at, load<i64>(entry, SEQ) - 1, SEQ);
      at += ENTRY;
    }
  }
  sortBySeq(to, size / ENTRY);
}

/** Heap sort of 48-byte entries by seq: in place, no worst case. */
function sortBySeq(base: usize, count: usize): void {
  if (count < 2) return;
  for (let i = count / 2; i > 0; i--) sift(base, i - 1, count);
  for (let end = count - 1; end > 0; end--) {
    swap(base, base + end * ENTRY);
    sift(base, 0, end);
  }
}

function sift(base: usize, root: usize, count: usize): void {
  for (;;) {
    let child = root * 2 + 1;
    if (child >= count) return;
    if (child + 1 < count && load<u64>(base + child * ENTRY, SEQ) < load<u64>(base + (child + 1) * ENTRY, SEQ)) child++;
    if (load<u64>(base + root * ENTRY, SEQ) >= load<u64>(base + child * ENTRY, SEQ)) return;
    swap(base + root * ENTRY, base + child * ENTRY);
    root = child;
  }
}

function swap(a: usize, b: usize): void {
  for (let i: usize = 0; i < ENTRY; i += 8) {
    const x = load<u64>(a + i);
    store<u64>(a + i, load<u64>(b + i));
    store<u64>(b + i, x);
  }
}
