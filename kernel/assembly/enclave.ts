import { DETAIL } from './apply';
import { EMPTY_HASH } from './fixed';
import { IN } from './input';
import { copy32 } from './memory';
import { Rules } from './rules';
import { CHAIN, HEAD_ROOT } from './sealed';
import { smtLeaves, smtRoot } from './smt';
import { lastSeq } from './stage';
import { CREATOR, ENCLAVE, OWN_KEY, SEQUENCER, State } from './state';

const HAS_KEY: u32 = 1;
const PROVISIONED: u32 = 2;
const HAS_CREATOR: u32 = 4;

/**
 * A new, empty enclave; once per instance. In the input: bytes32 enclave, key held, creator (zero where absent).
 * `window` in ms.
 */
export function create(lane: u32, flags: u32, window: f64): void {
  copy32(ENCLAVE, IN.ptr);
  copy32(OWN_KEY, IN.ptr + 32);
  copy32(SEQUENCER, IN.ptr + 32);
  copy32(CREATOR, IN.ptr + 64);
  copy32(CHAIN, ENCLAVE);
  copy32(HEAD_ROOT, EMPTY_HASH);
  State.lane = lane;
  State.keyHeld = (flags & HAS_KEY) != 0;
  State.provisioned = (flags & PROVISIONED) != 0;
  State.hasCreator = (flags & HAS_CREATOR) != 0;
  State.window = <i64>window;
}

export function stagedSeq(): f64 {
  return <f64>lastSeq;
}

export function timestamp(): f64 {
  return <f64>State.timestamp;
}

export function status(): u32 {
  return State.status;
}

/** ms at which the open bundle is due, 0 when it is empty. */
export function dueAt(): f64 {
  return State.bundleCount ? <f64>(State.bundleTime + Rules.timeout) : 0;
}

export function atBoundary(): bool {
  return State.bundleCount == 0;
}

export function leaves(): u32 {
  return smtLeaves();
}

/** Address of the root of the state tree. */
export function stateHash(): usize {
  return smtRoot();
}

export function detailPtr(): usize {
  return DETAIL.ptr;
}

export function detailLen(): usize {
  return DETAIL.len;
}
