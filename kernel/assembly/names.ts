import { alloc, allocZero, release, same } from './memory';

/**
 * A table from byte strings to numbers (open addressing). It holds addresses, not copies: the bytes must outlive it.
 * Static ones: `changetype<Names>(memory.data(12, 8))`.
 */
// @ts-ignore: decorator
@unmanaged
export class Names {
  /** 16 bytes each: u32 address, u32 length, u32 value, u32 1 if taken */
  entries: usize;
  mask: u32;
  count: u32;

  /** Empties the table; room for `expected` names without growing. */
  reset(expected: u32): void {
    release(this.entries);
    let capacity: u32 = 8;
    while (capacity < expected * 2) capacity <<= 1;
    this.entries = allocZero(<usize>capacity << 4);
    this.mask = capacity - 1;
    this.count = 0;
  }

  free(): void {
    release(this.entries);
    this.entries = 0;
    this.mask = 0;
    this.count = 0;
  }

  private slot(name: usize, length: usize): usize {
    let i = hashOf(name, length) & this.mask;
    let entry = this.entries + (<usize>i << 4);
    while (load<u32>(entry, 12) && !(load<u32>(entry, 4) == <u32>length && same(load<u32>(entry), name, length))) {
      i = (i + 1) & this.mask;
      entry = this.entries + (<usize>i << 4);
    }
    return entry;
  }

  /** The number of a name, −1 if it is not there. */
  get(name: usize, length: usize): i32 {
    if (!this.entries) return -1;
    const entry = this.slot(name, length);
    return load<u32>(entry, 12) ? load<i32>(entry, 8) : -1;
  }

  /** Adds a name, or gives it another number. False if it was there. */
  set(name: usize, length: usize, value: u32): bool {
    if (!this.entries) this.reset(4);
    if (this.count * 2 > this.mask) this.grow();
    const entry = this.slot(name, length);
    const fresh = !load<u32>(entry, 12);
    store<u32>(entry, <u32>name);
    store<u32>(entry, <u32>length, 4);
    store<u32>(entry, value, 8);
    store<u32>(entry, 1, 12);
    if (fresh) this.count++;
    return fresh;
  }

  private grow(): void {
    const old = this.entries;
    const end = old + ((<usize>this.mask + 1) << 4);
    this.mask = this.mask * 2 + 1;
    const size = (<usize>this.mask + 1) << 4;
    this.entries = alloc(size);
    memory.fill(this.entries, 0, size);
    for (let from = old; from < end; from += 16) {
      if (!load<u32>(from, 12)) continue;
      memory.copy(this.slot(load<u32>(from), load<u32>(from, 4)), from, 16);
    }
    release(old);
  }
}

/** FNV-1a. */
function hashOf(name: usize, length: usize): u32 {
  let h: u32 = 0x811c9dc5;
  for (let i: usize = 0; i < length; i++) h = (h ^ load<u8>(name + i)) * 0x01000193;
  return h ^ (h >> 15);
}
