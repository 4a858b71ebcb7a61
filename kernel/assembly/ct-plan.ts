import { ctNode } from './ct';
import { EMPTY_HASH } from './fixed';
import { Buf, copy32 } from './memory';

/**
 * Proofs of the CT log (RFC 9162 §2.1) as the perfect subtrees they are made of. A plan is a list of rows: u32 level,
 * u32 element, u64 index: the nodes of every element of the proof from left to right, elements in the proof's order.
 */
export const PLAN = changetype<Buf>(memory.data(12, 8));
const ROW: usize = 16;
/** Elements are found from the root down, and wanted from the leaf up: from and to, u64 each. */
const SPANS: usize = memory.data(16 * 64, 8);
let spans: u32 = 0;

function addSpan(from: u64, to: u64): void {
  const at = SPANS + (<usize>spans << 4);
  store<u64>(at, from);
  store<u64>(at, to, 8);
  spans++;
}

/** Largest power of two < n (n ≥ 2). */
function split(n: u64): u64 {
  return <u64>1 << (63 - clz<u64>(n - 1));
}

/** Puts the spans into the plan, last first; returns their number. */
function cover(): u32 {
  PLAN.clear();
  const n = spans;
  for (let element: u32 = 0; element < n; element++) {
    const at = SPANS + (<usize>(n - 1 - element) << 4);
    let from = load<u64>(at);
    const to = load<u64>(at, 8);
    while (from < to) {
      const level = 63 - clz<u64>(to - from);
      PLAN.u32(<u32>level);
      PLAN.u32(element);
      PLAN.u64(from >> level);
      from += <u64>1 << level;
    }
  }
  spans = 0;
  return n;
}

/** Plan of the inclusion proof of leaf `index` < `size`; the number of its elements. */
export function planInclusion(index: u64, size: u64): u32 {
  let from: u64 = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      addSpan(middle, to);
      to = middle;
    } else {
      addSpan(from, middle);
      from = middle;
    }
  }
  return cover();
}

/** Plan of the consistency proof between the trees of `from` ≤ `to` leaves; the number of its elements. */
export function planConsistency(from: u64, to: u64): u32 {
  if (!from || from == to) return cover();
  let low: u64 = 0;
  let high = to;
  let whole = true;
  while (from != high) {
    const middle = low + split(high - low);
    if (from <= middle) {
      addSpan(middle, high);
      high = middle;
    } else {
      addSpan(low, middle);
      low = middle;
      whole = false;
    }
  }
  if (!whole) addSpan(low, high);
  return cover();
}

export function planNodes(): u32 {
  return <u32>(PLAN.len / ROW);
}

export function planLevel(node: u32): u32 {
  return load<u32>(PLAN.ptr + <usize>node * ROW);
}

export function planIndex(node: u32): u64 {
  return load<u64>(PLAN.ptr + <usize>node * ROW, 8);
}

/** Hash of an element over its nodes, which `get` finds (32 bytes each). */
export function planElement(element: u32, get: (node: u32) => usize, out: usize): void {
  copy32(out, EMPTY_HASH);
  let first = true;
  for (let i = planNodes(); i > 0; i--) {
    if (load<u32>(PLAN.ptr + <usize>(i - 1) * ROW, 4) != element) continue;
    if (first) copy32(out, get(i - 1));
    else ctNode(get(i - 1), out, out);
    first = false;
  }
}
