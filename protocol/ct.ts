import { equalBytes } from './bytes.ts';
import { ctNode, EMPTY_HASH } from './hash.ts';

/**
 * The CT log over closed bundles (PROTOCOL §7): RFC 9162 §2.1 trees over leaf hashes. Proofs are planned first, as the
 * perfect subtrees they are made of, then assembled from wherever those are stored.
 */

/** The perfect subtree over leaves index·2^level … (index+1)·2^level − 1; level 0 is a leaf hash. */
export interface CtNodeId {
  readonly level: number;
  readonly index: number;
}

/** One element of a proof: perfect subtrees from left to right, folded into one hash. */
export type CtPlan = readonly (readonly CtNodeId[])[];

/** Perfect subtrees that cover leaves [from, to), left to right; [from, to) must be a subtree of an RFC 9162 tree. */
function cover(from: number, to: number): CtNodeId[] {
  const nodes: CtNodeId[] = [];
  for (let at = from; at < to; ) {
    const level = Math.floor(Math.log2(to - at));
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** Largest power of two < n (n ≥ 2). */
function split(n: number): number {
  return 2 ** (Math.ceil(Math.log2(n)) - 1);
}

/** The perfect subtrees of a tree of `size` leaves: its frontier, largest first. */
export function frontierPlan(size: number): CtNodeId[] {
  return cover(0, size);
}

/** Nodes of the inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162 §2.1.3.1), leaf to root. */
export function inclusionPlan(index: number, size: number): CtPlan {
  if (index < 0 || index >= size) throw new RangeError('no such leaf in the tree');
  const plan: CtNodeId[][] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      plan.push(cover(middle, to));
      to = middle;
    } else {
      plan.push(cover(from, middle));
      from = middle;
    }
  }
  return plan.reverse();
}

/** Nodes of the consistency proof between the trees of `from` and `to` leaves (RFC 9162 §2.1.4.1), 0 ≤ from ≤ to. Empty for 0 and for equal sizes. */
export function consistencyPlan(from: number, to: number): CtPlan {
  if (from < 0 || from > to) throw new RangeError('no consistency proof backwards');
  if (from === 0 || from === to) return [];
  const plan: CtNodeId[][] = [];
  let [lo, hi, whole] = [0, to, true];
  while (from !== hi) {
    const middle = lo + split(hi - lo);
    if (from <= middle) {
      plan.push(cover(middle, hi));
      hi = middle;
    } else {
      plan.push(cover(lo, middle));
      lo = middle;
      whole = false;
    }
  }
  if (!whole) plan.push(cover(lo, hi));
  return plan.reverse();
}

/** The hashes of a plan; `get` knows every perfect subtree that the plan names. */
export function assemble(plan: CtPlan, get: (node: CtNodeId) => Uint8Array): Uint8Array[] {
  return plan.map((nodes) => foldRight(nodes.map(get)));
}

/** Root over perfect subtrees, largest first; sha256("") over none. */
export function foldRight(nodes: readonly Uint8Array[]): Uint8Array {
  return nodes.length === 0 ? EMPTY_HASH : nodes.reduceRight((right, left) => ctNode(left, right));
}

/** RFC 9162 §2.1.3.2: does `path` lead from the leaf hash at `index` to the root of a tree of `size` leaves? */
export function verifyInclusion(
  root: Uint8Array,
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (leaf.length !== 32 || path.some((node) => node.length !== 32)) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const node of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = ctNode(node, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      hash = ctNode(hash, node);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(hash, root);
}

/**
 * RFC 9162 §2.1.4.2: does `path` show that the tree (from, fromRoot) is a prefix of (to, toRoot)? The empty tree is a
 * prefix of every tree, with an empty path.
 */
export function verifyConsistency(
  from: number,
  to: number,
  fromRoot: Uint8Array,
  toRoot: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || from > to) return false;
  if (path.some((node) => node.length !== 32)) return false;
  if (from === 0)
    return path.length === 0 && equalBytes(fromRoot, EMPTY_HASH) && (to > 0 || equalBytes(toRoot, EMPTY_HASH));
  if (from === to) return path.length === 0 && equalBytes(fromRoot, toRoot);
  const nodes = Number.isInteger(Math.log2(from)) ? [fromRoot, ...path] : path;
  const first = nodes[0];
  if (first === undefined || path.length === 0) return false;
  let [at, last] = [from - 1, to - 1];
  while (at % 2 === 1) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  let [old, now] = [first, first];
  for (const node of nodes.slice(1)) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      old = ctNode(node, old);
      now = ctNode(node, now);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      now = ctNode(now, node);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(old, fromRoot) && equalBytes(now, toRoot);
}

/** A CT tree that grows one leaf at a time, in log n memory. */
export class CtFrontier {
  private readonly nodes: Uint8Array[];
  size: number;

  /** `nodes`: the perfect subtrees of a tree of `size` leaves, largest first (frontierPlan); throws if the count is wrong. */
  constructor(size = 0, nodes: readonly Uint8Array[] = []) {
    if (nodes.length !== frontierPlan(size).length) throw new RangeError('not the frontier of a tree of this size');
    this.size = size;
    this.nodes = [...nodes];
  }

  /** Appends a leaf hash; returns the perfect subtrees that it completes, level 1 upwards (not the leaf itself). */
  append(leaf: Uint8Array): Uint8Array[] {
    const completed: Uint8Array[] = [];
    let node = leaf;
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = ctNode(this.nodes.pop() as Uint8Array, node);
      completed.push(node);
    }
    this.nodes.push(node);
    this.size++;
    return completed;
  }

  root(): Uint8Array {
    return foldRight(this.nodes);
  }

  /** Perfect subtrees, largest first. */
  frontier(): readonly Uint8Array[] {
    return [...this.nodes];
  }
}
