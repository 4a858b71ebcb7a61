import { toHex } from '../../protocol/hex.ts';
import { bytes, type Case, hex, one, smtKeyCases } from './cases.ts';
import { evaluate, type Input } from './evaluate.ts';

const flip = (text: string): string => (text.startsWith('0') ? '1' : '0') + text.slice(1);

/** Proofs as the trees make them, and the same proofs with one thing wrong. */
export function bundleCases(): Case[] {
  const rows: Case[] = [];
  for (const size of [1, 2, 3, 4, 5, 7, 8]) {
    const ids = Array.from({ length: size }, (_, i) => hex(`id ${i}`));
    const made = one('bundle', `${size} events`, { ids, state_hash: hex('state'), first_seq: 10 * size });
    rows.push(made);
    const { events_root: root, paths } = evaluate(made) as { events_root: string; paths: string[][] };
    const index = size - 1;
    const good = { root, id: ids[index], index, size, siblings: paths[index] as string[] };
    const check = (name: string, change: Input): void => {
      rows.push(one('verify_bundle', `${name}, ${size} events`, { ...good, ...change }));
    };
    check('last event', {});
    check('another event', { id: hex('other') });
    check('one sibling too many', { siblings: [...good.siblings, hex('id 0')] });
    if (size > 1) check('another index', { index: 0 });
    if (good.siblings.length > 0) check('one sibling missing', { siblings: good.siblings.slice(1) });
  }
  return rows;
}

export function ctCases(): Case[] {
  const rows: Case[] = [];
  const all = Array.from({ length: 11 }, (_, i) => hex(`leaf ${i}`));
  const trees = [0, 1, 2, 3, 4, 6, 7, 8, 11].map((size) => one('ct', `${size} leaves`, { leaves: all.slice(0, size) }));
  rows.push(...trees);
  const rootOf = (size: number): string =>
    (evaluate(one('ct', '', { leaves: all.slice(0, size) })) as { root: string }).root;
  for (const size of [1, 3, 8, 11]) {
    const { root, inclusion, consistency } = evaluate(one('ct', '', { leaves: all.slice(0, size) })) as {
      root: string;
      inclusion: string[][];
      consistency: string[][];
    };
    const index = size >> 1;
    const good = { root, leaf: all[index], index, size, path: inclusion[index] as string[] };
    const check = (name: string, change: Input): void => {
      rows.push(one('verify_inclusion', `${name}, ${size} leaves`, { ...good, ...change }));
    };
    check('good', {});
    check('another leaf', { leaf: hex('other') });
    check('another root', { root: flip(root) });
    check('one node too many', { path: [...good.path, hex('other')] });
    check('index beyond the tree', { index: size });
    if (size > 1) check('another index', { index: index - 1 });
    if (size > 1) check('one node missing', { path: good.path.slice(1) });
    for (const from of [0, index, size]) {
      const step = { from, to: size, from_root: rootOf(from), to_root: root, path: consistency[from] as string[] };
      const next = (name: string, change: Input): void => {
        rows.push(one('verify_consistency', `${name}, ${from} to ${size} leaves`, { ...step, ...change }));
      };
      next('good', {});
      next('another old root', { from_root: flip(step.from_root) });
      next('one node too many', { path: [...step.path, hex('other')] });
      if (from > 0) next('another new root', { to_root: flip(root) });
    }
  }
  return rows;
}

export function smtCases(): Case[] {
  const key = (i: number): string => `0${i % 3}${hex(`key ${i}`).slice(0, 40)}`;
  const leaves = (count: number): [string, string][] =>
    Array.from({ length: count }, (_, i) => [key(i), hex(`value ${i}`)]);
  const twins: [string, string][] = [
    ['00'.repeat(21), hex('a')],
    [`${'00'.repeat(20)}01`, hex('b')],
  ];
  const trees: [string, [string, string][], string[]][] = [
    ['empty', [], [key(0)]],
    ['one leaf', leaves(1), [key(0), key(3), key(1)]],
    ['two leaves', leaves(2), [key(0), key(1), key(2)]],
    ['sixteen leaves', leaves(16), [key(0), key(5), key(15), key(16), key(17), key(18), key(40)]],
    ['keys that differ in the last bit', twins, [twins[0]?.[0] as string, `${'00'.repeat(20)}02`]],
  ];
  const rows: Case[] = [];
  for (const [name, tree, keys] of trees) {
    const made = one('smt', name, { leaves: tree, keys });
    rows.push(made);
    const { root, proofs } = evaluate(made) as { root: string; proofs: string[] };
    for (const [i, text] of proofs.entries()) {
      const proof = JSON.parse(text);
      const check = (what: string, change: Input): void => {
        rows.push(
          one('verify_smt', `${name}, proof ${i}: ${what}`, { root, proof: JSON.stringify({ ...proof, ...change }) }),
        );
      };
      check('good', {});
      check('value changed', { v: proof.v === null ? hex('forged') : null });
      if (proof.s.length > 0) check('sibling missing', { s: proof.s.slice(1) });
      if (proof.o !== null) check('neighbour left out', { o: null });
      if (proof.v !== null) check('present and absent', { v: null, o: { k: proof.k, v: proof.v } });
    }
    rows.push(one('verify_smt', `${name}: under another root`, { root: toHex(bytes('root')), proof: proofs[0] }));
    rows.push(
      one('verify_smt', `${name}: short key`, {
        root,
        proof: JSON.stringify({ ...JSON.parse(proofs[0] as string), k: '00' }),
      }),
    );
  }
  return [...smtKeyCases(), ...rows];
}
