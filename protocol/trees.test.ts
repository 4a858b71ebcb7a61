import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundlePath, eventsRoot, verifyBundlePath } from './bundle-tree.ts';
import { compareBytes, utf8 } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import {
  assemble,
  CtFrontier,
  type CtNodeId,
  consistencyPlan,
  frontierPlan,
  inclusionPlan,
  verifyConsistency,
  verifyInclusion,
} from './ct.ts';
import { bundleNode, ctNode, EMPTY_HASH, sha256, smtLeaf, smtNode } from './hash.ts';
import { toHex } from './hex.ts';
import { toJson } from './json.ts';
import { jump } from './jump.ts';
import {
  EMPTY_SMT,
  parseSmtProof,
  type Smt,
  smtDelete,
  smtGet,
  smtLeaves,
  smtProofJson,
  smtProve,
  smtRoot,
  smtSet,
  smtVerify,
} from './smt.ts';
import { decodeKvKey, encodeKvKey, smtKey, smtNumber } from './smt-keys.ts';

const leavesOf = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => sha256(utf8(`leaf ${i}`)));
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte));

/** MTH of RFC 9162 §2.1.1, by its definition. */
function mth(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return EMPTY_HASH;
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return ctNode(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

const N = 20;
const LEAVES = leavesOf(N);
const ROOTS = Array.from({ length: N + 1 }, (_, n) => mth(LEAVES.slice(0, n)));
const node = ({ level, index }: CtNodeId): Uint8Array =>
  mth(LEAVES.slice(index * 2 ** level, (index + 1) * 2 ** level));
const root = (n: number): Uint8Array => ROOTS[n] as Uint8Array;
const leaf = (n: number): Uint8Array => LEAVES[n] as Uint8Array;

test('CT: a tampered, cut, stretched or misplaced proof is refused, for every leaf of every size', () => {
  for (let size = 1; size <= N; size++) {
    for (let index = 0; index < size; index++) {
      const path = assemble(inclusionPlan(index, size), node);
      assert.ok(verifyInclusion(root(size), leaf(index), index, size, path));
      assert.equal(verifyInclusion(root(size), leaf(index), index, size, [...path, leaf(0)]), false);
      assert.equal(verifyInclusion(root(size), flipped(leaf(index)), index, size, path), false);
      if (size > 1) assert.equal(verifyInclusion(root(size), leaf(index), (index + 1) % size, size, path), false);
      for (let i = 0; i < path.length; i++) {
        assert.equal(
          verifyInclusion(root(size), leaf(index), index, size, path.with(i, flipped(path[i] as Uint8Array))),
          false,
        );
        assert.equal(verifyInclusion(root(size), leaf(index), index, size, path.toSpliced(i, 1)), false);
      }
    }
  }
});

test('CT: consistency for every pair of sizes, and nothing else', () => {
  for (let to = 0; to <= N; to++) {
    for (let from = 0; from <= to; from++) {
      const path = assemble(consistencyPlan(from, to), node);
      assert.ok(verifyConsistency(from, to, root(from), root(to), path), `${from} ${to}`);
      assert.equal(verifyConsistency(from, to, root(from), root(to), [...path, leaf(0)]), false);
      assert.equal(verifyConsistency(from, to, flipped(root(from)), root(to), path), false);
      if (from > 0) assert.equal(verifyConsistency(from, to, root(from), flipped(root(to)), path), false);
      for (let i = 0; i < path.length; i++) {
        assert.equal(
          verifyConsistency(from, to, root(from), root(to), path.with(i, flipped(path[i] as Uint8Array))),
          false,
        );
        assert.equal(verifyConsistency(from, to, root(from), root(to), path.toSpliced(i, 1)), false);
      }
    }
  }
});

test('CT: positions that make no sense are refused, not looped over', () => {
  for (const [index, size] of [
    [-1, 1],
    [1, 1],
    [0, 0],
    [0.5, 2],
    [Number.NaN, 2],
    [0, 2 ** 60],
  ] as const)
    assert.equal(verifyInclusion(root(1), leaf(0), index, size, []), false);
  for (const [from, to] of [
    [-1, 1],
    [2, 1],
    [0.5, 2],
    [1, Number.NaN],
  ] as const)
    assert.equal(verifyConsistency(from, to, root(1), root(1), []), false);
  assert.equal(verifyInclusion(root(2), leaf(0), 0, 2, [new Uint8Array(31)]), false);
  assert.throws(() => inclusionPlan(1, 1), RangeError);
  assert.throws(() => consistencyPlan(2, 1), RangeError);
  assert.throws(() => new CtFrontier(3, [leaf(0)]), RangeError);
});

test('CT: a frontier resumes, and reports the perfect subtrees that a leaf completes', () => {
  let frontier = new CtFrontier();
  for (let i = 0; i < N; i++) {
    const completed = frontier.append(leaf(i));
    assert.deepEqual(
      completed,
      completed.map((_, k) => node({ level: k + 1, index: ((i + 1) >> (k + 1)) - 1 })),
    );
    assert.equal(completed.length, (i + 1).toString(2).match(/0*$/)?.[0].length);
    assert.deepEqual(frontier.root(), root(i + 1));
    assert.deepEqual(frontier.frontier(), frontierPlan(i + 1).map(node));
    frontier = new CtFrontier(i + 1, frontier.frontier());
  }
});

test('bundle tree: tampered paths are refused, carried nodes contribute nothing', () => {
  for (let size = 1; size <= 9; size++) {
    const ids = leavesOf(size);
    const top = eventsRoot(ids);
    for (let i = 0; i < size; i++) {
      const path = bundlePath(ids, i);
      assert.ok(verifyBundlePath(top, leaf(i), i, size, path));
      assert.equal(verifyBundlePath(top, leaf(i), i, size, [...path, leaf(0)]), false);
      assert.equal(verifyBundlePath(top, flipped(leaf(i)), i, size, path), false);
      for (let k = 0; k < path.length; k++) {
        assert.equal(verifyBundlePath(top, leaf(i), i, size, path.toSpliced(k, 1)), false);
        assert.equal(verifyBundlePath(top, leaf(i), i, size, path.with(k, flipped(path[k] as Uint8Array))), false);
      }
    }
  }
  assert.deepEqual(bundlePath(leavesOf(5), 4), [eventsRoot(leavesOf(4))]);
  assert.deepEqual(eventsRoot(leavesOf(3)), bundleNode(bundleNode(leaf(0), leaf(1)), leaf(2)));
  assert.throws(() => eventsRoot([]), RangeError);
  assert.throws(() => bundlePath([leaf(0)], 1), RangeError);
  for (const [i, size] of [
    [-1, 1],
    [1, 1],
    [0, 0],
    [0.5, 1],
  ] as const)
    assert.equal(verifyBundlePath(leaf(0), leaf(0), i, size, []), false);
});

const key = (i: number): Uint8Array => smtKey(0, sha256(utf8(`key ${i}`)));
const value = (i: number): Uint8Array => sha256(utf8(`value ${i}`));

/** Root by the definition of PROTOCOL §6. */
function rootOf(rows: readonly (readonly [Uint8Array, Uint8Array])[], depth = 0): Uint8Array {
  if (rows.length === 0) return EMPTY_HASH;
  if (rows.length === 1) return smtLeaf(...(rows[0] as [Uint8Array, Uint8Array]));
  const bit = (k: Uint8Array): number => ((k[depth >> 3] as number) >> (7 - (depth & 7))) & 1;
  return smtNode(
    rootOf(
      rows.filter(([k]) => bit(k) === 0),
      depth + 1,
    ),
    rootOf(
      rows.filter(([k]) => bit(k) === 1),
      depth + 1,
    ),
  );
}

test('SMT: any order of writes and deletes gives the root of the leaves that are left', () => {
  const rows = new Map<number, Uint8Array>();
  let tree: Smt = EMPTY_SMT;
  for (let step = 0; step < 200; step++) {
    const i = (step * 7919 + step * step) % 40;
    if (step % 3 === 2) {
      rows.delete(i);
      tree = smtDelete(tree, key(i));
    } else {
      rows.set(i, value(step));
      tree = smtSet(tree, key(i), value(step));
    }
    assert.deepEqual(smtRoot(tree), rootOf([...rows].map(([k, v]) => [key(k), v] as const)));
    assert.deepEqual(smtGet(tree, key(i)), rows.get(i) ?? null);
  }
  const leaves = [...smtLeaves(tree)];
  assert.equal(leaves.length, rows.size);
  assert.deepEqual(
    leaves,
    leaves.toSorted((a, b) => compareBytes(a.key, b.key)),
  );
});

test('SMT: keys that differ in their last bit only', () => {
  const a = new Uint8Array(21);
  const b = a.with(20, 1);
  const tree = smtSet(smtSet(EMPTY_SMT, a, value(1)), b, value(2));
  assert.deepEqual(
    smtRoot(tree),
    rootOf([
      [a, value(1)],
      [b, value(2)],
    ]),
  );
  const proof = smtProve(tree, b);
  assert.equal(proof.siblings.length, 168);
  assert.ok(smtVerify(smtRoot(tree), proof));
  assert.deepEqual(smtDelete(tree, b), smtSet(EMPTY_SMT, a, value(1)));
});

test('SMT: forged proofs are refused', () => {
  let tree: Smt = EMPTY_SMT;
  for (let i = 0; i < 12; i++) tree = smtSet(tree, key(i), value(i));
  const top = smtRoot(tree);
  let others = 0;
  for (let i = 0; i < 40; i++) {
    const proof = smtProve(tree, key(i));
    assert.ok(smtVerify(top, proof));
    assert.equal(smtVerify(flipped(top), proof), false);
    if (proof.value !== null) {
      assert.equal(smtVerify(top, { ...proof, value: flipped(proof.value) }), false);
      assert.equal(smtVerify(top, { ...proof, value: null }), false);
      assert.equal(smtVerify(top, { ...proof, value: null, other: { key: proof.key, value: proof.value } }), false);
      assert.equal(smtVerify(top, { ...proof, other: { key: key(99), value: value(1) } }), false);
      assert.equal(smtVerify(top, { ...proof, siblings: proof.siblings.slice(1) }), false);
    } else {
      assert.equal(smtVerify(top, { ...proof, value: value(i) }), false);
      if (proof.other !== null) {
        others++;
        assert.equal(smtVerify(top, { ...proof, other: null }), false);
        assert.equal(smtVerify(top, { ...proof, other: { ...proof.other, value: flipped(proof.other.value) } }), false);
      }
    }
    assert.equal(smtVerify(top, { ...proof, siblings: [...proof.siblings, EMPTY_HASH] }), false);
    const strange = proof.key.map((byte, at) => (at === 0 ? byte ^ 0x80 : byte));
    assert.equal(smtVerify(top, { ...proof, key: strange }), false);
  }
  assert.ok(others > 0);
  assert.equal(smtVerify(top, { key: new Uint8Array(20), value: null, siblings: [], other: null }), false);
  assert.equal(smtVerify(top, { key: key(0), value: null, siblings: Array(169).fill(top), other: null }), false);
});

test('SMT: another leaf from elsewhere in the tree proves no absence', () => {
  const tree = smtSet(smtSet(smtSet(EMPTY_SMT, key(0), value(0)), key(1), value(1)), key(2), value(2));
  const [target, neighbour] = [smtProve(tree, key(0)), smtProve(tree, key(1))];
  const forged = {
    key: target.key,
    value: null,
    siblings: neighbour.siblings,
    other: { key: key(1), value: value(1) },
  };
  const samePath = neighbour.siblings.every(
    (_, depth) =>
      (((target.key[depth >> 3] as number) ^ (neighbour.key[depth >> 3] as number)) >> (7 - (depth & 7))) % 2 === 0,
  );
  assert.equal(samePath, false);
  assert.equal(smtVerify(smtRoot(tree), forged), false);
});

test('SMT: proofs in JSON go both ways, misshapen ones are refused', () => {
  const tree = smtSet(smtSet(EMPTY_SMT, key(0), value(0)), key(1), value(1));
  for (const proof of [smtProve(tree, key(0)), smtProve(tree, key(7)), smtProve(EMPTY_SMT, key(0))]) {
    const plain = JSON.parse(smtProofJson(proof));
    assert.deepEqual(parseSmtProof(toJson(plain)), proof);
    for (const change of [
      { k: 'x' },
      { k: `${plain.k}00` },
      { v: 5 },
      { s: null },
      { s: ['00'] },
      { s: Array(169).fill('0'.repeat(64)) },
      { o: 1 },
      { o: {} },
      { x: 1 },
    ]) {
      assert.equal(parseSmtProof(toJson({ ...plain, ...change })), null, String(Object.keys(change)));
    }
  }
});

test('raw kv keys: exactly the four forms of PROTOCOL §6', () => {
  const id = sha256(utf8('id'));
  const bad: unknown[] = [
    [],
    ['status', 1],
    ['gate'],
    ['gate', ''],
    ['gate', 'a b'],
    ['gate', 'x'.repeat(65)],
    ['shared'],
    ['shared', ''],
    ['shared', 'x'.repeat(257)],
    ['shared', 'é'.repeat(129)],
    ['shared', 1],
    ['shared', 'a', 'b'],
    ['own', 'a'],
    ['own', 'a', 'b'],
    ['own', 'a', toHex(id)],
    ['other', 'a'],
    'status',
    { status: 1 },
    1,
  ];
  for (const value of bad) assert.equal(decodeKvKey(encodeCbor(toJson(value))), null, JSON.stringify(value));
  assert.equal(decodeKvKey(encodeCbor(['own', 'a', id.subarray(1)])), null);
  assert.equal(decodeKvKey(new Uint8Array(0)), null);
  assert.equal(decodeKvKey(Uint8Array.of(0x81, 0x78, 6, ...utf8('status'))), null);
  for (const good of [
    { kind: 'shared', key: 'é'.repeat(128) },
    { kind: 'own', key: 'a', from: id },
    { kind: 'gate', alias: 'x:y' },
    { kind: 'status' },
  ] as const) {
    assert.deepEqual(decodeKvKey(encodeKvKey(good)), good);
  }
  assert.equal(toHex(smtNumber(259)), `${'0'.repeat(60)}0103`);
});

test('jump: buckets must be a positive 31-bit number', () => {
  for (const buckets of [0, -1, 1.5, 2 ** 31, Number.NaN]) assert.throws(() => jump(1n, buckets), RangeError);
  assert.equal(jump(2n ** 64n - 1n, 1), 0);
});
