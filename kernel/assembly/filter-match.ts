import { ARRAY, count, first, kind, next, parse, root, STRING, strLen, strPtr, Tape } from './json';
import * as L from './layout';
import { same, same32 } from './memory';

/**
 * Does an event match a filter (PROTOCOL §9)? As `protocol/filter-match.ts`, over the payload of a Query or Pull (layout:
 * kernel/kernel.ts): all conditions must hold, each list by any of its values; the content plays no part.
 */
const HAS_ID: u32 = 1;
const HAS_SEQ: u32 = 2;
const HAS_TYPE: u32 = 4;
const HAS_FROM: u32 = 8;
const HAS_TIME: u32 = 16;
const HAS_TAGS: u32 = 32;
const HAS_LANE: u32 = 64;
const ANY_VALUE: u32 = 0xffff;
const LISTS: usize = 72;

const TAPE = changetype<Tape>(memory.data(40, 8));

export function matchesFilter(f: usize, record: usize): bool {
  const present = <u32>load<u8>(f, 5);
  const ids = load<u32>(f, 12);
  const types = load<u32>(f, 16);
  const froms = load<u32>(f, 20);
  const seqs = load<u32>(f, 24);
  const times = load<u32>(f, 28);
  const tags = load<u32>(f, 32);
  if (present & HAS_LANE && load<u32>(f, 8) != load<u32>(record, L.R_LANE)) return false;
  const fromsAt = f + LISTS + (<usize>ids << 5);
  const seqsAt = fromsAt + (<usize>froms << 5);
  const timesAt = seqsAt + (<usize>seqs << 3);
  const typesAt = timesAt + (<usize>times << 3);
  if (present & HAS_SEQ && !hasNumber(seqsAt, seqs, f + 40, load<i64>(record, L.R_SEQ))) return false;
  if (present & HAS_TIME && !hasNumber(timesAt, times, f + 56, load<i64>(record, L.R_TIMESTAMP))) return false;
  if (present & HAS_FROM && !hasHash(fromsAt, froms, record + L.R_FROM)) return false;
  if (present & HAS_ID && !hasHash(f + LISTS, ids, record + L.R_ID)) return false;
  if (present & HAS_TYPE && !hasText(typesAt, types, record + L.R_TEXT, load<u16>(record, L.R_TYPE_LENGTH))) return false;
  if (!(present & HAS_TAGS)) return true;
  return hasTags(behindTexts(typesAt, types), tags, record);
}

function hasNumber(values: usize, n: u32, range: usize, value: i64): bool {
  if (!n) return value >= load<i64>(range) && value <= load<i64>(range, 8);
  for (let i: u32 = 0; i < n; i++) if (load<i64>(values + (<usize>i << 3)) == value) return true;
  return false;
}

function hasHash(values: usize, n: u32, value: usize): bool {
  for (let i: u32 = 0; i < n; i++) if (same32(values + (<usize>i << 5), value)) return true;
  return false;
}

/** Is this text one of n packed ones (u16 length, bytes)? */
function hasText(packed: usize, n: u32, text: usize, length: usize): bool {
  for (let i: u32 = 0; i < n; i++) {
    const size = <usize>load<u16>(packed);
    if (size == length && same(packed + 2, text, length)) return true;
    packed += 2 + size;
  }
  return false;
}

function behindTexts(packed: usize, n: u32): usize {
  for (let i: u32 = 0; i < n; i++) packed += 2 + <usize>load<u16>(packed);
  return packed;
}

function hasTags(packed: usize, n: u32, record: usize): bool {
  if (!n) return true;
  const length = <usize>load<u32>(record, L.R_TAGS_LENGTH);
  const text = record + L.R_TEXT + <usize>load<u16>(record, L.R_TYPE_LENGTH);
  if (!length || !parse(TAPE, text, length, 0) || kind(root(TAPE)) != ARRAY) return false;
  for (let i: u32 = 0; i < n; i++) {
    const name = packed + 4;
    const nameLength = <usize>load<u16>(packed);
    const values = <u32>load<u16>(packed, 2);
    const wanted = name + nameLength;
    if (!hasTag(name, nameLength, wanted, values)) return false;
    packed = values == ANY_VALUE ? wanted : behindTexts(wanted, values);
  }
  return true;
}

/** A tag's first string is the name, its second is compared with the values. */
function hasTag(name: usize, length: usize, wanted: usize, values: u32): bool {
  let tag = first(root(TAPE));
  for (let i = count(root(TAPE)); i; i--) {
    if (kind(tag) == ARRAY && count(tag)) {
      const key = first(tag);
      if (kind(key) == STRING && strLen(key) == length && same(strPtr(key), name, length)) {
        if (values == ANY_VALUE) return true;
        const value = count(tag) > 1 ? next(key) : 0;
        if (value && kind(value) == STRING && hasText(wanted, values, strPtr(value), strLen(value))) return true;
      }
    }
    tag = next(tag);
  }
  return false;
}
