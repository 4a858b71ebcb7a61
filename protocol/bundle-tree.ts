import { equalBytes } from './bytes.ts';
import { bundleNode } from './hash.ts';

/**
 * The tree over the event ids of a bundle (PROTOCOL §7): leaves are the raw ids, an odd last node is carried up
 * unhashed. So its shape is that of RFC 9162 trees, only the node hash differs.
 */
export function eventsRoot(ids: readonly Uint8Array[]): Uint8Array {
  if (ids.length === 0) throw new RangeError('an empty bundle has no root');
  let level = ids;
  while (level.length > 1) level = above(level);
  return level[0] as Uint8Array;
}

function above(level: readonly Uint8Array[]): Uint8Array[] {
  const next: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i] as Uint8Array;
    const right = level[i + 1];
    next.push(right === undefined ? left : bundleNode(left, right));
  }
  return next;
}

/** Siblings of leaf `index`, leaf to root; a carried node contributes none. */
export function bundlePath(ids: readonly Uint8Array[], index: number): Uint8Array[] {
  if (index < 0 || index >= ids.length) throw new RangeError('no such event in the bundle');
  const path: Uint8Array[] = [];
  let level = ids;
  for (let at = index; level.length > 1; at >>= 1, level = above(level)) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) path.push(sibling);
  }
  return path;
}

/** Does the path lead from this event at `index` of a bundle of `size` events to the root? */
export function verifyBundlePath(
  root: Uint8Array,
  id: Uint8Array,
  index: number,
  size: number,
  siblings: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size || id.length !== 32)
    return false;
  let hash = id;
  let used = 0;
  for (let at = index, width = size; width > 1; at = Math.floor(at / 2), width = Math.ceil(width / 2)) {
    if (at % 2 === 0 && at === width - 1) continue;
    const sibling = siblings[used++];
    if (sibling === undefined || sibling.length !== 32) return false;
    hash = at % 2 === 0 ? bundleNode(hash, sibling) : bundleNode(sibling, hash);
  }
  return used === siblings.length && equalBytes(hash, root);
}

/** The root of a bundle that grows one id at a time, in log n memory. */
export class BundleFrontier {
  /** perfect subtrees, largest first; bit k of `size` says whether one of 2^k leaves is there */
  private readonly nodes: Uint8Array[] = [];
  size = 0;

  append(id: Uint8Array): void {
    let node = id;
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2)
      node = bundleNode(this.nodes.pop() as Uint8Array, node);
    this.nodes.push(node);
    this.size++;
  }

  /** Throws RangeError while the bundle is empty. */
  root(): Uint8Array {
    if (this.size === 0) throw new RangeError('an empty bundle has no root');
    return this.nodes.reduceRight((right, left) => bundleNode(left, right));
  }
}
