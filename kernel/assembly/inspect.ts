/** Bodies as they come in → inspected commits and requests (kernel/kernel.ts `Inspector`, PROTOCOL §1, §3, §8, §9). */
import { freshOutput, IN } from './input';
import { putCommit, putError, PRE } from './inspect-commit';
import { field, kind, OBJECT, parse, parseFirst, root, skipSpace, Tape } from './json';
import * as L from './layout';
import { putRequest, requestOfMode, requestOfType } from './inspect-request';
import { Buf } from './memory';

/** What a call returns: one of these, and an error code above it (`code << 8`). */
const BODY_ERROR: u32 = 0;
const COMMIT: u32 = 1;
const COMMITS: u32 = 2;
const REQUEST: u32 = 3;

const POST: u32 = 0;
const SNAPSHOT: u32 = 1;

const KEEP: usize = 131072;

// @ts-ignore: decorator
@lazy
const TAPE: Tape = changetype<Tape>(memory.data(40, 8));

let elements: u32 = 0;

/** ICs in the output of the last call. */
export function inspected(): u32 {
  return elements;
}

/** Where the id of a path goes before `inspect` is called with `hasEnclave`. */
export const PATH_ENCLAVE: usize = memory.data(32, 16);

/**
 * Inspects the `len` bytes of the input. Modes: 0 post, 1 snapshot, 2 inclusion, 3 bundle, 4 state, 5 state-batch. Limits as
 * in `Limits` of kernel/kernel.ts. The ICs or the IR are the output.
 */
export function inspect(len: usize, mode: u32, hasEnclave: bool, maxCommit: usize, maxArray: u32): u32 {
  const out = freshOutput();
  const enclave: usize = hasEnclave ? PATH_ENCLAVE : 0;
  elements = 0;
  const result = body(out, IN.ptr, len, mode, enclave, maxCommit, maxArray);
  if ((result & 0xff) == BODY_ERROR) {
    out.clear();
    elements = 0;
  }
  TAPE.trim();
  PRE.trim(KEEP);
  return result;
}

function body(out: Buf, src: usize, len: usize, mode: u32, enclave: usize, maxCommit: usize, maxArray: u32): u32 {
  const stop = src + len;
  store<u8>(stop, 0);
  const at = skipSpace(src);
  if (mode == POST && load<u8>(at) == 0x5b) return array(out, src, at + 1, stop, enclave, maxCommit, maxArray);
  // An array around everything is not counted as a level, even where none is wanted.
  if (!parse(TAPE, src, len, load<u8>(at) == 0x5b ? -1 : 0)) return L.E_INVALID_JSON << 8;
  const node = root(TAPE);
  if (kind(node) != OBJECT) return L.E_INVALID_COMMIT << 8;
  let request: u32 = 0;
  if (mode >= 2) {
    request = requestOfMode(mode);
  } else if (mode == POST && !field(node, 'exp')) {
    request = requestOfType(field(node, 'type'));
    if (!request) return L.E_INVALID_COMMIT << 8;
  }
  elements = 1;
  if (request) {
    putRequest(out, node, request, len, enclave);
    return REQUEST;
  }
  one(out, node, at - src, TAPE.parsed - at, enclave, maxCommit, mode == SNAPSHOT);
  return COMMIT;
}

function one(out: Buf, node: usize, at: usize, length: usize, enclave: usize, maxCommit: usize, snapshot: bool): void {
  if (length > maxCommit) putError(out, L.E_TOO_LARGE, at, length);
  else putCommit(out, node, at, length, enclave, snapshot);
}

/** Element by element, so that the tape holds one commit. The whole array must be valid before any of it counts. */
function array(out: Buf, src: usize, p: usize, stop: usize, enclave: usize, maxCommit: usize, maxArray: u32): u32 {
  p = skipSpace(p);
  if (load<u8>(p) == 0x5d) {
    p++;
  } else {
    while (true) {
      const at = skipSpace(p);
      if (!parseFirst(TAPE, at, stop - at, 0)) return L.E_INVALID_JSON << 8;
      p = TAPE.parsed;
      if (++elements <= maxArray) one(out, root(TAPE), at - src, p - at, enclave, maxCommit, false);
      p = skipSpace(p);
      const c = <u32>load<u8>(p++);
      if (c == 0x5d) break;
      if (c != 0x2c) return L.E_INVALID_JSON << 8;
    }
  }
  if (skipSpace(p) != stop) return L.E_INVALID_JSON << 8;
  return elements > maxArray ? L.E_TOO_LARGE << 8 : COMMITS;
}
