import { EMPTY_HASH } from './fixed';
import { Buf, copy32 } from './memory';
import { sha256 } from './sha256';
import { sha256x4 } from './sha256-x4';
import { BIT, bitOf, DIRTY, firstLeaf, HASH, IS_LEAF, KEY, KEY_SIZE, LEFT, RIGHT, TOP, VALUE } from './smt-node';

/** Hashes of the state tree's nodes (PROTOCOL §6): taken when they are asked for, of the nodes that have changed. */

/**
 * H(0x21, left, right) and H(0x20, key, value) with their CBOR heads in place, padded to two blocks; four of each side
 * by side, hashed at once.
 */
const BLOCKS: u32 = 2;
const STRIDE: usize = 128;
const INNER_PRE: usize = memory.data(4 * 128, 16);
const LEAF_PRE: usize = memory.data(4 * 128, 16);
const DIGESTS: usize = memory.data(4 * 32, 16);
const INNER_BYTES: usize = 71;
const LEAF_BYTES: usize = 59;
for (let i: usize = 0; i < 4; i++) {
  const inner = INNER_PRE + i * STRIDE;
  store<u32>(inner, 0x58211883);
  store<u8>(inner, 0x20, 4);
  store<u16>(inner, 0x2058, 37);
  pad(inner, INNER_BYTES);
  const leaf = LEAF_PRE + i * STRIDE;
  store<u32>(leaf, 0x55201883);
  store<u16>(leaf, 0x2058, 25);
  pad(leaf, LEAF_BYTES);
}

function pad(message: usize, length: usize): void {
  store<u8>(message + length, 0x80);
  store<u32>(message, bswap<u32>(<u32>length << 3), STRIDE - 4);
}

function putPair(message: usize, left: usize, right: usize): void {
  copy32(message + 5, left);
  copy32(message + 39, right);
}

function putLeaf(message: usize, leaf: usize): void {
  memory.copy(message + 4, leaf + KEY, KEY_SIZE);
  copy32(message + 27, leaf + VALUE);
}

function hashPair(left: usize, right: usize, out: usize): void {
  putPair(INNER_PRE, left, right);
  sha256(INNER_PRE, <u32>INNER_BYTES, out);
}

/** Hash of a subtree as seen at `depth` (not below its branch): pointer to 32 bytes. For the few nodes of one path. */
export function hashAt(node: usize, depth: u32): usize {
  if (!node) return EMPTY_HASH;
  const hash = node + HASH;
  if (load<u8>(node, IS_LEAF)) {
    if (load<u8>(node, DIRTY)) {
      putLeaf(LEAF_PRE, node);
      sha256(LEAF_PRE, <u32>LEAF_BYTES, hash);
      store<u8>(node, 0, DIRTY);
    }
    return hash;
  }
  if (!load<u8>(node, DIRTY) && <u32>load<u8>(node, TOP) == depth) return hash;
  const bit = <u32>load<u8>(node, BIT);
  hashPair(hashAt(<usize>load<u32>(node, LEFT), bit + 1), hashAt(<usize>load<u32>(node, RIGHT), bit + 1), hash);
  if (bit > depth) {
    const key = firstLeaf(node) + KEY;
    for (let i = bit; i > depth; i--) {
      if (bitOf(key, i - 1)) hashPair(EMPTY_HASH, hash, hash);
      else hashPair(hash, EMPTY_HASH, hash);
    }
  }
  store<u8>(node, 0, DIRTY);
  store<u8>(node, <u8>depth, TOP);
  return hash;
}

/**
 * What has to be hashed, in rounds: a hash needs only those of earlier rounds, so a round goes four at a time. Round 0
 * are the leaves; a node's branch comes behind its children, and each empty sibling above it one round later.
 *
 * STEPS: u32 node, u32 what, u32 offset of the next step of its round + 1 (0: the last). ROUNDS: offset + 1 of the first.
 */
const STEPS = changetype<Buf>(memory.data(12, 8));
const ROUNDS: usize = memory.data(4 * 172, 8);
const STEP: usize = 12;
const BRANCH: u32 = 0;
const EMPTY_RIGHT: u32 = 1;
const EMPTY_LEFT: u32 = 2;
const KEPT_STEPS: usize = 65536;

function addStep(round: u32, node: usize, what: u32): void {
  const first = ROUNDS + (<usize>round << 2);
  const step = STEPS.reserve(STEP);
  store<u32>(step, <u32>node);
  store<u32>(step, what, 4);
  store<u32>(step, load<u32>(first), 8);
  store<u32>(first, <u32>STEPS.len + 1);
  STEPS.len += STEP;
}

/** Adds the steps of a subtree as seen at `depth`. The first round in which its hash may be used. */
function plan(node: usize, depth: u32): u32 {
  if (load<u8>(node, IS_LEAF)) {
    if (load<u8>(node, DIRTY)) {
      addStep(0, node, BRANCH);
      store<u8>(node, 0, DIRTY);
    }
    return 1;
  }
  if (!load<u8>(node, DIRTY) && <u32>load<u8>(node, TOP) == depth) return 1;
  const bit = <u32>load<u8>(node, BIT);
  let round = plan(<usize>load<u32>(node, LEFT), bit + 1);
  round = max<u32>(round, plan(<usize>load<u32>(node, RIGHT), bit + 1));
  addStep(round++, node, BRANCH);
  if (bit > depth) {
    const key = firstLeaf(node) + KEY;
    for (let i = bit; i > depth; i--) addStep(round++, node, bitOf(key, i - 1) ? EMPTY_LEFT : EMPTY_RIGHT);
  }
  store<u8>(node, 0, DIRTY);
  store<u8>(node, <u8>depth, TOP);
  return round;
}

function putStep(message: usize, step: usize): void {
  const node = <usize>load<u32>(step);
  const what = load<u32>(step, 4);
  if (what == EMPTY_RIGHT) putPair(message, node + HASH, EMPTY_HASH);
  else if (what == EMPTY_LEFT) putPair(message, EMPTY_HASH, node + HASH);
  else putPair(message, <usize>load<u32>(node, LEFT) + HASH, <usize>load<u32>(node, RIGHT) + HASH);
}

function runRound(round: u32): void {
  const messages = round == 0 ? LEAF_PRE : INNER_PRE;
  let next = load<u32>(ROUNDS + (<usize>round << 2));
  store<u32>(ROUNDS + (<usize>round << 2), 0);
  while (next) {
    const begin = next;
    let count: u32 = 0;
    for (; next && count < 4; count++) {
      const step = STEPS.ptr + <usize>next - 1;
      const message = messages + <usize>count * STRIDE;
      if (round == 0) putLeaf(message, <usize>load<u32>(step));
      else putStep(message, step);
      next = load<u32>(step, 8);
    }
    if (count == 1) sha256(messages, <u32>(round == 0 ? LEAF_BYTES : INNER_BYTES), DIGESTS);
    else sha256x4(messages, STRIDE, BLOCKS, DIGESTS);
    let at = begin;
    for (let i: u32 = 0; i < count; i++) {
      const step = STEPS.ptr + <usize>at - 1;
      copy32(<usize>load<u32>(step) + HASH, DIGESTS + (<usize>i << 5));
      at = load<u32>(step, 8);
    }
  }
}

/** Hash of the whole tree under `root` (0: it is empty): pointer to 32 bytes, valid until the next change. */
export function hashTree(root: usize): usize {
  if (!root) return EMPTY_HASH;
  const rounds = plan(root, 0);
  for (let round: u32 = 0; round < rounds; round++) runRound(round);
  STEPS.trim(KEPT_STEPS);
  return root + HASH;
}
