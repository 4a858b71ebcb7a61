import { eventsIn, FOLDED, skeletonOf } from './batch';
import { hostEventMeta } from './host';
import { typeNumber } from './inspect-commit';
import * as L from './layout';
import { copy32, same32 } from './memory';
import { typeIndex, TYPES } from './rules';

/** What is known of an event by its id. host_event_meta: from bytes32, u64 seq, u32 lane, u16 type length, type. */
export const META: usize = memory.data(128, 16);
export const META_SEQ: usize = 32;
const TYPE_LENGTH: usize = 44;
const TYPE: usize = 46;

/** A released event into META. False if there is none. */
export function findReleased(id: usize): bool {
  return hostEventMeta(id, META) > 0;
}

/** As `findReleased`, and those that were folded since the last `takeFolded`. */
export function findEvent(id: usize): bool {
  return (eventsIn(FOLDED) > 0 && findFolded(id)) || findReleased(id);
}

function findFolded(id: usize): bool {
  const records = skeletonOf(FOLDED);
  const end = records.ptr + records.len;
  for (let record = records.ptr; record < end; record += load<u32>(record)) {
    if (load<u8>(record, L.R_KIND) != L.KIND_EVENT || !same32(record + L.R_ID, id)) continue;
    copy32(META, record + L.R_FROM);
    store<u64>(META, load<u64>(record, L.R_SEQ), META_SEQ);
    const length = load<u16>(record, L.R_TYPE_LENGTH);
    store<u16>(META, length, TYPE_LENGTH);
    memory.copy(META + TYPE, record + L.R_TEXT, length);
    return true;
  }
  return false;
}

/** Index of the custom type of META, −1 if it is none. */
export function metaCustomType(): i32 {
  return TYPES.get(META + TYPE, load<u16>(META, TYPE_LENGTH));
}

/** `typeIndex` of META. */
export function metaType(): u32 {
  const length = <usize>load<u16>(META, TYPE_LENGTH);
  return typeIndex(typeNumber(META + TYPE, length), META + TYPE, length);
}
