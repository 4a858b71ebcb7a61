import { be32, be64, EMPTY_HASH } from './fixed';
import { copy32 } from './memory';
import { sha256 } from './sha256';
import { sha256x4 } from './sha256-x4';

/**
 * Append-only binary trees kept as their frontier: the perfect subtrees of the leaves so far, one slot of 32 bytes per
 * level. The CT log (RFC 9162 §2.1) and a bundle's tree over event ids (PROTOCOL §7) have the same shape (an odd last
 * node is carried up unhashed) and differ in how a node is hashed.
 */
const CT_PRE: usize = memory.data(72, 8);
const BUNDLE_PRE: usize = memory.data(72, 8);
const LEAF_PRE: usize = memory.data(80, 8);
store<u8>(CT_PRE, 1);
store<u32>(BUNDLE_PRE, 0x20580183);
store<u16>(BUNDLE_PRE, 0x2058, 36);

/** RFC 9162: sha256(0x01 || left || right). */
export function ctNode(left: usize, right: usize, out: usize): void {
  copy32(CT_PRE + 1, left);
  copy32(CT_PRE + 33, right);
  sha256(CT_PRE, 65, out);
}

/** H(0x01, left, right). */
export function bundleNode(left: usize, right: usize, out: usize): void {
  copy32(BUNDLE_PRE + 4, left);
  copy32(BUNDLE_PRE + 38, right);
  sha256(BUNDLE_PRE, 70, out);
}

/** sha256(0x00 || events_root || state_hash || be64(first_seq) || be32(bundle_size)). */
export function ctLeaf(eventsRoot: usize, stateHash: usize, firstSeq: u64, size: u32, out: usize): void {
  copy32(LEAF_PRE + 1, eventsRoot);
  copy32(LEAF_PRE + 33, stateHash);
  be64(LEAF_PRE + 65, firstSeq);
  be32(LEAF_PRE + 73, size);
  sha256(LEAF_PRE, 77, out);
}

/** Levels of the CT frontier: 2^53 closings at most. */
const CT_LEVELS: usize = 53;
const ctFrontier: usize = memory.data(32 * 53, 8);
/** A bundle holds at most 4,096 events. */
const bundleFrontier: usize = memory.data(32 * 13, 8);

/** Closed bundles in the CT log, as sealed. */
export let ctSize: u64 = 0;
/** Events of the open bundle that are in its frontier. */
let bundleSize: u32 = 0;

const CARRY: usize = memory.data(32, 8);

/**
 * Adds a leaf hash to the CT log. The perfect subtrees that it completes go to `nodes`, level 1 upwards; returns their
 * number.
 */
export function ctAppend(leaf: usize, nodes: usize): u32 {
  copy32(CARRY, leaf);
  let level: usize = 0;
  while ((ctSize >> level) & 1) {
    ctNode(ctFrontier + 32 * level, CARRY, CARRY);
    copy32(nodes + 32 * level, CARRY);
    level++;
  }
  copy32(ctFrontier + 32 * level, CARRY);
  ctSize++;
  return <u32>level;
}

/** Root of the CT log; sha256("") when it is empty. */
export function ctRoot(out: usize): void {
  if (!ctSize) {
    copy32(out, EMPTY_HASH);
    return;
  }
  let level = <usize>ctz<u64>(ctSize);
  copy32(out, ctFrontier + 32 * level);
  for (level++; level < CT_LEVELS; level++) {
    if ((ctSize >> level) & 1) ctNode(ctFrontier + 32 * level, out, out);
  }
}

/** The frontier of the CT log, largest subtree first. Returns the end. */
export function ctExport(to: usize): usize {
  for (let level = CT_LEVELS; level > 0; level--) {
    if ((ctSize >> (level - 1)) & 1) {
      copy32(to, ctFrontier + 32 * (level - 1));
      to += 32;
    }
  }
  return to;
}

/** Puts an exported frontier back; it holds one node per one bit of `size`. */
export function ctLoad(from: usize, size: u64): void {
  ctSize = size;
  for (let level = CT_LEVELS; level > 0; level--) {
    if ((size >> (level - 1)) & 1) {
      copy32(ctFrontier + 32 * (level - 1), from);
      from += 32;
    }
  }
}

/** Adds a node over 2^level events, of which the bundle so far holds a multiple. */
function bundlePush(node: usize, level: usize): void {
  const events: u32 = 1 << <u32>level;
  copy32(CARRY, node);
  while ((bundleSize >> <u32>level) & 1) {
    bundleNode(bundleFrontier + 32 * level, CARRY, CARRY);
    level++;
  }
  copy32(bundleFrontier + 32 * level, CARRY);
  bundleSize += events;
}

/** Event ids that are not in the frontier yet: eight at once cost half as much. */
const WAITING: usize = memory.data(32 * 8, 16);
let waiting: u32 = 0;

/** Four pre-images H(0x01, left, right) of 70 bytes, padded to two blocks each. */
const FOUR: usize = memory.data(128 * 4, 16);
for (let at = FOUR; at < FOUR + 512; at += 128) {
  store<u32>(at, 0x20580183);
  store<u16>(at, 0x2058, 36);
  store<u8>(at, 0x80, 70);
  store<u16>(at, bswap<u16>(70 * 8), 126);
}

/** Adds an event id to the open bundle. */
export function bundleAppend(id: usize): void {
  if (bundleSize & 7) {
    bundlePush(id, 0);
    return;
  }
  copy32(WAITING + (<usize>waiting << 5), id);
  waiting++;
  if (waiting < 8) return;
  waiting = 0;
  for (let i: usize = 0; i < 4; i++) {
    copy32(FOUR + (i << 7) + 4, WAITING + (i << 6));
    copy32(FOUR + (i << 7) + 38, WAITING + (i << 6) + 32);
  }
  sha256x4(FOUR, 128, 2, WAITING);
  bundleNode(WAITING, WAITING + 32, WAITING);
  bundleNode(WAITING + 64, WAITING + 96, WAITING + 32);
  bundleNode(WAITING, WAITING + 32, WAITING);
  bundlePush(WAITING, 3);
}

/** events_root of the open bundle, which is then empty. It held at least one event. */
export function bundleClose(out: usize): void {
  for (let i: u32 = 0; i < waiting; i++) bundlePush(WAITING + (<usize>i << 5), 0);
  waiting = 0;
  let level = ctz<u32>(bundleSize);
  copy32(out, bundleFrontier + 32 * level);
  for (level++; level < 13; level++) {
    if ((bundleSize >> level) & 1) bundleNode(bundleFrontier + 32 * level, out, out);
  }
  bundleSize = 0;
}
