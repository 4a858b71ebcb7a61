import { findReleased, META, META_SEQ, metaType } from './event-meta';
import { CONTEXT_PUBLIC, CONTEXT_SELF, CONTEXT_SENDER, DENY, isActive, OP_P, OP_R } from './columns';
import { field, kind, OBJECT, parse, root, STRING, strLen, strPtr, Tape } from './json';
import * as L from './layout';
import { markOf } from './marks';
import { same32 } from './memory';
import { customLists, decideCustom, decideSlot, slotLists } from './rbac';
import { FIRST_CUSTOM, Rules, typeIndex } from './rules';
import { bitsOf } from './state';

/**
 * Who may read what (PROTOCOL §5), decided per event as `protocol/read-rules.ts` defines it: R by a readers row with an
 * active column that covers the type, or by a row's `R`, unless a row's `_R` denies it. A Pull may also go by P.
 */

/** The reader and the event it asks for. Types are numbers of `typeIndex`. */
class Asked {
  static reader: usize = 0;
  static bits: u32 = 0;
  static pull: bool = false;
  static type: u32 = 0;
  static seq: i64 = 0;
  static self: bool = false;
  static sender: bool = false;
  static key: usize = 0;
  static keyLength: usize = 0;
  static prefix: bool = false;
}

const ANY_SEQ: i64 = i64.MAX_VALUE;

/** Who reads, from here on. `pull`: P is enough. */
export function setReader(identity: usize, pull: bool): void {
  Asked.reader = identity;
  Asked.bits = bitsOf(identity);
  Asked.pull = pull;
  setSlot(0, 0, false);
}

function setEvent(type: u32, seq: i64, self: bool, sender: bool): void {
  Asked.type = type;
  Asked.seq = seq;
  Asked.self = self;
  Asked.sender = sender;
}

/** Key of a Shared or Own event; `prefix`: it stands for all keys that begin so. */
function setSlot(key: usize, length: usize, prefix: bool): void {
  Asked.key = key;
  Asked.keyLength = length;
  Asked.prefix = prefix;
}

function isSlot(): bool {
  return Asked.type == L.T_SHARED || Asked.type == L.T_OWN;
}

function lists(bit: u32, contexts: u32): bool {
  if (isSlot()) return slotLists(Asked.type, Asked.key, Asked.keyLength, Asked.prefix, bit, Asked.bits, contexts);
  return Asked.type >= FIRST_CUSTOM && customLists(Asked.type - FIRST_CUSTOM, bit, Asked.bits, contexts);
}

function allows(op: u32, contexts: u32): bool {
  if (isSlot()) return decideSlot(Asked.type, Asked.key, Asked.keyLength, Asked.prefix, op, Asked.bits, contexts) == 0;
  return Asked.type >= FIRST_CUSTOM && decideCustom(Asked.type - FIRST_CUSTOM, op, Asked.bits, contexts) == 0;
}

/** May the reader read the event, as far as its own type goes? */
function mayRead(): bool {
  const targeted = Asked.type >= L.T_MOVE && Asked.type <= L.T_TRANSFER;
  let contexts = CONTEXT_PUBLIC;
  if (Asked.self && targeted) contexts |= CONTEXT_SELF;
  if (Asked.sender) contexts |= CONTEXT_SENDER;
  return readable(contexts) || (Asked.pull && allows(OP_P, contexts));
}

function readable(contexts: u32): bool {
  if (lists(OP_R << DENY, contexts)) return false;
  if (allows(OP_R, contexts)) return true;
  const byte: usize = 8 + (<usize>Asked.type >> 3);
  const bit: u32 = 1 << (Asked.type & 7);
  let row = Rules.readers;
  for (let i = Rules.readerCount; i; i--) {
    if (load<u8>(row, 3) || <u32>load<u8>(row + byte) & bit) {
      const column = <u32>load<u16>(row);
      if (isActive(column, Asked.bits, contexts)) return true;
      if (load<u8>(row, 2) && markOf(Asked.reader, column) >= Asked.seq) return true;
    }
    row += Rules.readerSize;
  }
  return false;
}

const TAPE = changetype<Tape>(memory.data(40, 8));

/** May the reader read this stored event? `content` may be empty (erased). */
export function mayReadRecord(record: usize, content: usize, contentLength: usize): bool {
  const number = <u32>load<u8>(record, L.R_TYPE);
  const type = typeIndex(number, record + L.R_TEXT, load<u16>(record, L.R_TYPE_LENGTH));
  const self = (load<u8>(record, L.R_FLAGS) & L.FLAG_TARGET) != 0 && same32(record + L.R_TARGET, Asked.reader);
  setEvent(type, load<i64>(record, L.R_SEQ), self, same32(record + L.R_FROM, Asked.reader));
  if (isSlot()) {
    setSlot(0, 0, false);
    const parsed = contentLength != 0 && parse(TAPE, content, contentLength, 0) && kind(root(TAPE)) == OBJECT;
    const key = parsed ? field(root(TAPE), 'key') : 0;
    if (key && kind(key) == STRING) setSlot(strPtr(key), strLen(key), false);
    return mayRead();
  }
  if (!mayRead()) return false;
  if (number != L.T_UPDATE && number != L.T_DELETE) return true;
  if (!findReleased(record + L.R_TARGET)) return false;
  setEvent(metaType(), load<i64>(META, META_SEQ), false, same32(META, Asked.reader));
  return mayRead();
}

/** May the reader read events of this predefined type, by what it holds now? */
export function mayReadType(type: u32): bool {
  setEvent(type, ANY_SEQ, false, false);
  setSlot(0, 0, false);
  return mayRead();
}

/** The same of a slot. `sender`: it is the reader's own. */
export function mayReadSlot(type: u32, key: usize, length: usize, sender: bool): bool {
  setEvent(type, ANY_SEQ, false, sender);
  setSlot(key, length, false);
  return mayRead();
}

/** Types that can be read for themselves; Update and Delete only go with their targets. */
function standsAlone(type: u32): bool {
  return type != 0 && type != L.T_UPDATE && type != L.T_DELETE && type != L.T_LANES;
}

/** With Self and Sender assumed true and false, and seq 0 for retention marks. */
function inAnySituation(type: u32): bool {
  for (let n = 0; n < 4; n++) {
    setEvent(type, 0, (n & 1) != 0, (n & 2) != 0);
    if (mayRead()) return true;
  }
  return false;
}

/** Is there any event that the reader could read? */
export function mayReadAnything(): bool {
  for (let type: u32 = 1; type < FIRST_CUSTOM + Rules.typeCount; type++) {
    if (!standsAlone(type)) continue;
    if (type == L.T_SHARED || type == L.T_OWN) {
      for (let row = Rules.slots; row < Rules.slots + (<usize>Rules.slotCount << 4); row += 16) {
        if (<u32>load<u8>(row) != type) continue;
        setSlot(<usize>load<u32>(row, 8), load<u32>(row, 12), load<u8>(row, 1) != 0);
        if (inAnySituation(type)) return true;
      }
      // A key that only `*` matches.
      setSlot(0, 0, true);
    }
    if (inAnySituation(type)) return true;
  }
  return false;
}

/**
 * Does the reader read every event there could be? Allowed for every type without Self, Sender or marks, for all keys at
 * once; any `_R` row counts whose operator is active or is Self or Sender.
 */
export function readsEverything(): bool {
  const possible = CONTEXT_PUBLIC | CONTEXT_SELF | CONTEXT_SENDER;
  for (let row = Rules.customs; row < Rules.customs + (<usize>Rules.customCount << 3); row += 8) {
    if (<u32>load<u16>(row, 2) & (OP_R << DENY) && isActive(load<u16>(row), Asked.bits, possible)) return false;
  }
  for (let row = Rules.slots; row < Rules.slots + (<usize>Rules.slotCount << 4); row += 16) {
    if (<u32>load<u16>(row, 4) & (OP_R << DENY) && isActive(load<u16>(row, 2), Asked.bits, possible)) return false;
  }
  setSlot(0, 0, true);
  for (let type: u32 = 1; type < FIRST_CUSTOM + Rules.typeCount; type++) {
    if (type == L.T_LANES) continue;
    setEvent(type, ANY_SEQ, false, false);
    if (!mayRead()) return false;
  }
  return true;
}
