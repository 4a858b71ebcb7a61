import { hexDecode } from './hex';
import { count, field, first, next, parse, root, strPtr, Tape } from './json';
import { writeString } from './json-write';
import { compileRules, list, traitBits } from './manifest-compile';
import { COLUMNS, manifestNames, manifestNamesDone, stateOf } from './manifest-names';
import { manifestShape, PATH } from './manifest-shape';
import { alloc, Buf, same } from './memory';
import { clearRules, Rules } from './rules';

const TAPE = changetype<Tape>(memory.data(40, 8));

/**
 * Validates and compiles a Manifest's content (canonical JSON). `sequencer`: 32 bytes that a `sequencer` in it must
 * equal, or 0. False, with the path in `detail`, if it is invalid; the rules are then empty.
 */
export function compileManifest(content: usize, length: usize, sequencer: usize, detail: Buf): bool {
  Rules.content = alloc(length + 1);
  Rules.contentLength = length;
  memory.copy(Rules.content, content, length);
  const parsed = parse(TAPE, Rules.content, length, 0);
  let valid = parsed && manifestShape(root(TAPE)) && manifestNames(root(TAPE));
  if (valid && sequencer && !namesSequencer(root(TAPE), sequencer)) {
    PATH.clear();
    PATH.text('/sequencer');
    valid = false;
  }
  manifestNamesDone();
  if (valid) {
    compileRules(root(TAPE));
  } else {
    manifestFault(detail);
    forgetManifest();
  }
  TAPE.trim();
  return valid;
}

/** `"path":` and the fault's JSON Pointer as a canonical JSON string. */
function manifestFault(detail: Buf): void {
  detail.text('"path":');
  detail.end(writeString(detail.reserve(PATH.len * 6 + 64), PATH.ptr, PATH.len));
}

const NAMED: usize = memory.data(64, 8);

function namesSequencer(content: usize, sequencer: usize): bool {
  const named = field(content, 'sequencer');
  if (!named) return true;
  hexDecode(strPtr(named), 32, NAMED);
  return same(NAMED, sequencer, 32);
}

/** Drops the compiled Manifest: the enclave has none. */
export function forgetManifest(): void {
  clearRules();
  COLUMNS.free();
  PATH.trim(1024);
}

// ---- init entries: walked while the Manifest's tape is there

const IDENTITY: usize = memory.data(64, 8);

/** Calls `each` with identity (32 bytes) and bitmask of every init entry. Directly after `compileManifest`. */
export function eachInit(each: (identity: usize, bits: u32) => void): void {
  if (!parse(TAPE, Rules.content, Rules.contentLength, 0)) return;
  const init = list(field(root(TAPE), 'RBAC'), 'init');
  if (init) {
    let entry = first(init);
    for (let i = count(init); i; i--) {
      hexDecode(strPtr(field(entry, 'identity')), 32, IDENTITY);
      each(IDENTITY, stateOf(field(entry, 'state')) | traitBits(field(entry, 'traits')));
      entry = next(entry);
    }
  }
  TAPE.trim();
}
