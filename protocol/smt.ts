import { equalBytes } from './bytes.ts';
import { EMPTY_HASH, smtLeaf, smtNode } from './hash.ts';
import { fromHex, isHex32, toHex } from './hex.ts';
import { isArray, isObject, type Json } from './json.ts';
import { hasOnly } from './shape.ts';

/**
 * The state tree (PROTOCOL §6): a sparse Merkle tree over 168-bit keys with compressed paths. A tree is an immutable
 * value: `smtSet` and `smtDelete` return a new one that shares what did not change.
 */
export const SMT_BITS = 168;
export const SMT_KEY_BYTES = 21;

interface Leaf {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly hash: Uint8Array;
}
interface Inner {
  readonly left: Smt;
  readonly right: Smt;
  readonly hash: Uint8Array;
}
/** null is the empty tree. */
export type Smt = Leaf | Inner | null;

export const EMPTY_SMT: Smt = null;

/** The state hash. */
export function smtRoot(tree: Smt): Uint8Array {
  return tree === null ? EMPTY_HASH : tree.hash;
}

export function smtGet(tree: Smt, key: Uint8Array): Uint8Array | null {
  let node = tree;
  for (let depth = 0; node !== null; depth++) {
    if (isLeaf(node)) return equalBytes(node.key, key) ? node.value : null;
    node = bit(key, depth) === 0 ? node.left : node.right;
  }
  return null;
}

/** `key` 21 bytes, `value` 32 bytes; both are kept, so they must not be changed afterwards. */
export function smtSet(tree: Smt, key: Uint8Array, value: Uint8Array): Smt {
  return insert(tree, { key, value, hash: smtLeaf(key, value) }, 0);
}

/** The same tree if there is no such leaf. */
export function smtDelete(tree: Smt, key: Uint8Array): Smt {
  return remove(tree, key, 0);
}

/** All leaves, sorted by key. */
export function* smtLeaves(tree: Smt): Generator<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
  if (tree === null) return;
  if (isLeaf(tree)) yield tree;
  else {
    yield* smtLeaves(tree.left);
    yield* smtLeaves(tree.right);
  }
}

function isLeaf(node: Leaf | Inner): node is Leaf {
  return 'key' in node;
}

/** Bit `depth` of a key, most significant first. */
function bit(key: Uint8Array, depth: number): number {
  return ((key[depth >> 3] as number) >> (7 - (depth & 7))) & 1;
}

function inner(left: Smt, right: Smt): Inner {
  return { left, right, hash: smtNode(smtRoot(left), smtRoot(right)) };
}

function insert(node: Smt, leaf: Leaf, depth: number): Smt {
  if (node === null) return leaf;
  if (!isLeaf(node)) {
    if (bit(leaf.key, depth) === 0) return inner(insert(node.left, leaf, depth + 1), node.right);
    return inner(node.left, insert(node.right, leaf, depth + 1));
  }
  if (equalBytes(node.key, leaf.key)) return leaf;
  const [mine, other] = [bit(leaf.key, depth), bit(node.key, depth)];
  if (mine !== other) return mine === 0 ? inner(leaf, node) : inner(node, leaf);
  const below = insert(node, leaf, depth + 1);
  return mine === 0 ? inner(below, null) : inner(null, below);
}

function remove(node: Smt, key: Uint8Array, depth: number): Smt {
  if (node === null) return null;
  if (isLeaf(node)) return equalBytes(node.key, key) ? null : node;
  const goLeft = bit(key, depth) === 0;
  const child = goLeft ? node.left : node.right;
  const rest = remove(child, key, depth + 1);
  if (rest === child) return node;
  const [left, right] = goLeft ? [rest, node.right] : [node.left, rest];
  // A subtree with exactly one leaf is that leaf.
  if (left === null && right !== null && isLeaf(right)) return right;
  if (right === null && left !== null && isLeaf(left)) return left;
  return inner(left, right);
}

/** Proof of PROTOCOL §6, raw bytes. `value` null: the key is not in the tree. */
export interface SmtProof {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  /** leaf to root */
  readonly siblings: readonly Uint8Array[];
  /** non-membership: the leaf that sits where the key's would be; null if that place is empty */
  readonly other: { readonly key: Uint8Array; readonly value: Uint8Array } | null;
}

/** The proof for any key: membership or not. */
export function smtProve(tree: Smt, key: Uint8Array): SmtProof {
  const siblings: Uint8Array[] = [];
  let node = tree;
  while (node !== null && !isLeaf(node)) {
    const goLeft = bit(key, siblings.length) === 0;
    siblings.push(smtRoot(goLeft ? node.right : node.left));
    node = goLeft ? node.left : node.right;
  }
  siblings.reverse();
  if (node === null) return { key, value: null, siblings, other: null };
  if (equalBytes(node.key, key)) return { key, value: node.value, siblings, other: null };
  return { key, value: null, siblings, other: { key: node.key, value: node.value } };
}

/** Does the proof show, under this state hash, that its key has its value (or, value null, has none)? */
export function smtVerify(root: Uint8Array, proof: SmtProof): boolean {
  const { key, value, siblings, other } = proof;
  if (key.length !== SMT_KEY_BYTES || siblings.length > SMT_BITS) return false;
  if (value !== null && (other !== null || value.length !== 32)) return false;
  if (other !== null) {
    if (other.key.length !== SMT_KEY_BYTES || other.value.length !== 32 || equalBytes(other.key, key)) return false;
    for (let depth = 0; depth < siblings.length; depth++) if (bit(key, depth) !== bit(other.key, depth)) return false;
  }
  const leaf = value !== null ? { key, value } : other;
  let hash = leaf === null ? EMPTY_HASH : smtLeaf(leaf.key, leaf.value);
  for (let i = 0; i < siblings.length; i++) {
    const sibling = siblings[i] as Uint8Array;
    if (sibling.length !== 32) return false;
    hash = bit(key, siblings.length - 1 - i) === 0 ? smtNode(hash, sibling) : smtNode(sibling, hash);
  }
  return equalBytes(hash, root);
}

/** `"k":…,"v":…,"s":[…],"o":…` without braces, so that an answer can add members. */
export function smtProofMembers(proof: SmtProof): string {
  const value = proof.value === null ? 'null' : `"${toHex(proof.value)}"`;
  const siblings = proof.siblings.map((sibling) => `"${toHex(sibling)}"`).join(',');
  const other = proof.other === null ? 'null' : `{"k":"${toHex(proof.other.key)}","v":"${toHex(proof.other.value)}"}`;
  return `"k":"${toHex(proof.key)}","v":${value},"s":[${siblings}],"o":${other}`;
}

export function smtProofJson(proof: SmtProof): string {
  return `{${smtProofMembers(proof)}}`;
}

const PROOF_KEYS: ReadonlySet<string> = new Set(['k', 'v', 's', 'o']);
const OTHER_KEYS: ReadonlySet<string> = new Set(['k', 'v']);

/** The proof in a JSON object (members beside k, v, s, o only if `extra` names them), or null. */
export function parseSmtProof(value: Json, extra: readonly string[] = []): SmtProof | null {
  if (!isObject(value) || !hasOnly(value, new Set([...PROOF_KEYS, ...extra]))) return null;
  const [k, v, s, o] = [value.get('k'), value.get('v'), value.get('s'), value.get('o')];
  const key = keyOf(k);
  if (
    key === null ||
    (v !== null && !isHex32(v)) ||
    !isArray(s) ||
    s.length > SMT_BITS ||
    !s.every((item) => isHex32(item))
  )
    return null;
  const siblings = s.map((item) => fromHex(item as string) as Uint8Array);
  const member = v === null ? null : fromHex(v);
  if (o === null) return { key, value: member, siblings, other: null };
  if (!isObject(o) || !hasOnly(o, OTHER_KEYS)) return null;
  const otherKey = keyOf(o.get('k'));
  const otherValue = o.get('v');
  if (otherKey === null || !isHex32(otherValue)) return null;
  return { key, value: member, siblings, other: { key: otherKey, value: fromHex(otherValue) as Uint8Array } };
}

function keyOf(value: Json | undefined): Uint8Array | null {
  return typeof value === 'string' ? fromHex(value, SMT_KEY_BYTES) : null;
}
