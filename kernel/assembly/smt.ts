import { EMPTY_HASH } from './fixed';
import { copy32 } from './memory';
import { hashAt, hashTree } from './smt-hash';
import {
  BIT,
  bitOf,
  DIRTY,
  firstLeaf,
  INNER_SIZE,
  IS_LEAF,
  KEY,
  KEY_BITS,
  KEY_SIZE,
  LEAF_SIZE,
  LEFT,
  VALUE,
} from './smt-node';

export { KEY_BITS, KEY_SIZE };

/**
 * The state tree (PROTOCOL §6): a binary trie over 168-bit keys with compressed paths and lazy hashes.
 *
 * Two versions are alive: the current one and that of the last closed bundle. A node carries the epoch (bundle count)
 * that it was made in; a change copies nodes of an older epoch, which the closed version still holds, and puts the old
 * ones on a list that is freed at the next closing. Nodes of the current epoch change in place.
 */

/** Where the current and the closed root are kept. */
const CURRENT: usize = memory.data(8, 8);
let closedRoot: usize = 0;
let epoch: u32 = 1;
let leafCount: u32 = 0;

let freeInner: usize = 0;
let freeLeaf: usize = 0;
let chunkNodes: usize = 16;

/** Leaf that the last proof ended at. */
let proofLeaf: usize = 0;

/** Nodes that only the closed version holds: growing array of u32. */
let garbage: usize = 0;
let garbageLength: u32 = 0;
let garbageCapacity: u32 = 0;

function refillInner(): void {
  const n = chunkNodes;
  if (chunkNodes < 1024) chunkNodes <<= 1;
  const chunk = heap.alloc(n * INNER_SIZE);
  for (let i: usize = 0; i < n; i++) {
    const node = chunk + i * INNER_SIZE;
    store<usize>(node, freeInner);
    freeInner = node;
  }
}

function refillLeaf(): void {
  const n = chunkNodes;
  const chunk = heap.alloc(n * LEAF_SIZE);
  for (let i: usize = 0; i < n; i++) {
    const node = chunk + i * LEAF_SIZE;
    store<usize>(node, freeLeaf);
    freeLeaf = node;
  }
}

function newInner(bit: u32): usize {
  if (!freeInner) refillInner();
  const node = freeInner;
  freeInner = load<usize>(node);
  store<u32>(node, epoch);
  store<u32>(node, 0x0100 | (bit << 16), IS_LEAF);
  return node;
}

function newLeaf(key: usize, value: usize): usize {
  if (!freeLeaf) refillLeaf();
  const node = freeLeaf;
  freeLeaf = load<usize>(node);
  store<u32>(node, epoch);
  store<u32>(node, 0x0101, IS_LEAF);
  copy32(node + VALUE, value);
  memory.copy(node + KEY, key, KEY_SIZE);
  return node;
}

function release(node: usize): void {
  if (load<u8>(node, IS_LEAF)) {
    store<usize>(node, freeLeaf);
    freeLeaf = node;
  } else {
    store<usize>(node, freeInner);
    freeInner = node;
  }
}

/** The current version drops a node: at once if no closed version holds it. */
function drop(node: usize): void {
  if (load<u32>(node) == epoch) {
    release(node);
    return;
  }
  if (garbageLength == garbageCapacity) {
    garbageCapacity = max<u32>(64, garbageCapacity * 2);
    garbage = garbage ? heap.realloc(garbage, <usize>garbageCapacity << 2) : heap.alloc(<usize>garbageCapacity << 2);
  }
  store<u32>(garbage + (<usize>garbageLength << 2), <u32>node);
  garbageLength++;
}

/** The node behind `link` as one of the current epoch, dirty. */
function own(link: usize): usize {
  const node = <usize>load<u32>(link);
  if (load<u32>(node) == epoch) {
    store<u8>(node, 1, DIRTY);
    return node;
  }
  let copy: usize;
  if (load<u8>(node, IS_LEAF)) {
    copy = newLeaf(node + KEY, node + VALUE);
  } else {
    copy = newInner(load<u8>(node, BIT));
    store<u64>(copy, load<u64>(node, LEFT), LEFT);
  }
  drop(node);
  store<u32>(link, <u32>copy);
  return copy;
}

// @ts-ignore: decorator
@inline
function childLink(node: usize, side: u32): usize {
  return node + LEFT + (<usize>side << 2);
}

/** First bit in which two keys differ, KEY_BITS when they are equal. */
function firstDifference(a: usize, b: usize): u32 {
  for (let i: u32 = 0; i < KEY_SIZE; i++) {
    const x = <u32>(load<u8>(a + i) ^ load<u8>(b + i));
    if (x) return i * 8 + clz<u32>(x) - 24;
  }
  return KEY_BITS;
}

/** The only leaf that may have this key. */
function candidate(root: usize, key: usize): usize {
  let node = root;
  while (!load<u8>(node, IS_LEAF)) node = <usize>load<u32>(childLink(node, bitOf(key, load<u8>(node, BIT))));
  return node;
}

function find(root: usize, key: usize): usize {
  if (!root) return 0;
  const leaf = candidate(root, key);
  return memory.compare(leaf + KEY, key, KEY_SIZE) == 0 ? leaf + VALUE : 0;
}

/** Pointer to the 32-byte value of a key in the current version, 0 if there is none. */
export function smtGet(key: usize): usize {
  return find(<usize>load<u32>(CURRENT), key);
}

/** Sets a leaf of the current version. */
export function smtSet(key: usize, value: usize): void {
  const root = <usize>load<u32>(CURRENT);
  if (!root) {
    store<u32>(CURRENT, <u32>newLeaf(key, value));
    leafCount = 1;
    return;
  }
  const split = firstDifference(candidate(root, key) + KEY, key);
  let link = CURRENT;
  for (;;) {
    const node = <usize>load<u32>(link);
    if (load<u8>(node, IS_LEAF) || <u32>load<u8>(node, BIT) > split) break;
    const owned = own(link);
    link = childLink(owned, bitOf(key, load<u8>(owned, BIT)));
  }
  if (split == KEY_BITS) {
    copy32(own(link) + VALUE, value);
    return;
  }
  const inner = newInner(split);
  const side = bitOf(key, split);
  store<u32>(childLink(inner, side), <u32>newLeaf(key, value));
  store<u32>(childLink(inner, side ^ 1), load<u32>(link));
  store<u32>(link, <u32>inner);
  leafCount++;
}

/** Removes a leaf of the current version, if it is there. */
export function smtRemove(key: usize): void {
  const root = <usize>load<u32>(CURRENT);
  if (!root) return;
  const leaf = candidate(root, key);
  if (memory.compare(leaf + KEY, key, KEY_SIZE)) return;
  leafCount--;
  if (leaf == root) {
    store<u32>(CURRENT, 0);
    drop(leaf);
    return;
  }
  let link = CURRENT;
  for (;;) {
    const node = <usize>load<u32>(link);
    const side = bitOf(key, load<u8>(node, BIT));
    if (<usize>load<u32>(childLink(node, side)) == leaf) {
      store<u32>(link, load<u32>(childLink(node, side ^ 1)));
      drop(node);
      drop(leaf);
      return;
    }
    link = childLink(own(link), side);
  }
}

export function smtLeaves(): u32 {
  return leafCount;
}

/** Root of the current version (the state hash): pointer to 32 bytes, valid until the next change. */
export function smtRoot(): usize {
  return hashTree(<usize>load<u32>(CURRENT));
}

/** Root of the version of the last closed bundle. */
export function smtClosedRoot(): usize {
  return hashTree(closedRoot);
}

/** A bundle closes: the current version becomes the closed one, and what only the former one held is freed. */
export function smtClose(): void {
  for (let i: u32 = 0; i < garbageLength; i++) release(<usize>load<u32>(garbage + (<usize>i << 2)));
  garbageLength = 0;
  if (garbageCapacity > 4096) {
    heap.free(garbage);
    garbage = 0;
    garbageCapacity = 0;
  }
  closedRoot = <usize>load<u32>(CURRENT);
  epoch++;
}

/**
 * Proof of a key against the closed version (PROTOCOL §6). Siblings go to `out`, 32 bytes each, root to leaf (at most
 * KEY_BITS); returns their number. `proofLeaf` is then the leaf that sits there: its key may be another one.
 */
export function smtProve(key: usize, out: usize): u32 {
  proofLeaf = 0;
  let node = closedRoot;
  if (!node) return 0;
  let depth: u32 = 0;
  let at = out;
  while (!load<u8>(node, IS_LEAF)) {
    const bit = <u32>load<u8>(node, BIT);
    const split = firstDifference(firstLeaf(node) + KEY, key);
    while (depth < bit && depth < split) {
      copy32(at, EMPTY_HASH);
      at += 32;
      depth++;
    }
    if (split < bit) {
      copy32(at, hashAt(node, depth + 1));
      return <u32>((at + 32 - out) >> 5);
    }
    const side = bitOf(key, bit);
    depth = bit + 1;
    copy32(at, hashAt(<usize>load<u32>(childLink(node, side ^ 1)), depth));
    at += 32;
    node = <usize>load<u32>(childLink(node, side));
  }
  proofLeaf = node;
  return <u32>((at - out) >> 5);
}

/** Key of the leaf that the last proof ended at, 0 when it ended in an empty subtree. */
export function smtProofKey(): usize {
  return proofLeaf ? proofLeaf + KEY : 0;
}

export function smtProofValue(): usize {
  return proofLeaf ? proofLeaf + VALUE : 0;
}

function exportNode(node: usize, to: usize): usize {
  if (!node) return to;
  if (load<u8>(node, IS_LEAF)) {
    memory.copy(to, node + KEY, KEY_SIZE);
    store<u8>(to, 0, 21);
    store<u16>(to, 0, 22);
    copy32(to + 24, node + VALUE);
    return to + 56;
  }
  return exportNode(<usize>load<u32>(node, LEFT + 4), exportNode(<usize>load<u32>(node, LEFT), to));
}

/** Leaves in key order, 56 bytes each: key21, zero×3, value32. Returns the end. */
export function smtExport(to: usize): usize {
  return exportNode(<usize>load<u32>(CURRENT), to);
}

function build(from: usize, count: u32): usize {
  if (count == 1) return newLeaf(from, from + 24);
  const bit = firstDifference(from, from + <usize>(count - 1) * 56);
  let low: u32 = 1;
  let high: u32 = count - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bitOf(from + <usize>middle * 56, bit)) high = middle;
    else low = middle + 1;
  }
  const node = newInner(bit);
  store<u32>(node, <u32>build(from, low), LEFT);
  store<u32>(node, <u32>build(from + <usize>low * 56, count - low), LEFT + 4);
  return node;
}

/** Makes both versions of an empty tree from exported leaves. False if their keys are not in strictly rising order. */
export function smtLoad(from: usize, count: u32): bool {
  for (let i: u32 = 1; i < count; i++) {
    const at = from + <usize>i * 56;
    if (memory.compare(at - 56, at, KEY_SIZE) >= 0) return false;
  }
  chunkNodes = max<usize>(16, <usize>min<u32>(count, 1 << 16));
  store<u32>(CURRENT, count ? <u32>build(from, count) : 0);
  chunkNodes = min<usize>(chunkNodes, 1024);
  leafCount = count;
  smtClose();
  return true;
}
