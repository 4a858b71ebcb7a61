import { be32, be64, EMPTY_HASH } from './fixed';
import { copy32 } from './memory';
import { sha256 } from './sha256';

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
/** Events in the sealed part of the open bundle. */
export let bundleSize: u32 = 0;

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

/** Adds an event id to the open bundle. */
export function bundleAppend(id: usize): void {
  copy32(CARRY, id);
  let level: usize = 0;
  while ((bundleSize >> <u32>level) & 1) {
    bundleNode(bundleFrontier + 32 * level, CARRY, CARRY);
    level++;
  }
  copy32(bundleFrontier + 32 * level, CARRY);
  bundleSize++;
}

/** events_root of the open bundle, which is then empty. It held at least one event. */
export function bundleClose(out: usize): void {
  let level = ctz<u32>(bundleSize);
  copy32(out, bundleFrontier + 32 * level);
  for (level++; level < 13; level++) {
    if ((bundleSize >> level) & 1) bundleNode(bundleFrontier + 32 * level, out, out);
  }
  bundleSize = 0;
}
