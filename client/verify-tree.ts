import { verifyBundlePath } from '../protocol/bundle-tree.ts';
import { verifyConsistency, verifyInclusion } from '../protocol/ct.ts';
import { ctLeaf, ctLeafData, EMPTY_HASH } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { type Json, toJson } from '../protocol/json.ts';
import type { Verifier } from '../protocol/secp.ts';
import { parseSmtProof, smtVerify } from '../protocol/smt.ts';
import { type Namespace, smtKey } from '../protocol/smt-keys.ts';
import { parseSth, verifySth } from '../protocol/sth.ts';
import { claim, isId, isListOf, isSeq, shaped } from './check.ts';
import type { TreeHead } from './heads.ts';
import type { BundleProof, Inclusion, StateProof } from './types.ts';

/** The answer as a tree head of this enclave, signed by the sequencer it names (PROTOCOL §7). Throws Mismatch. */
export function checkTreeHead(answer: unknown, enclave: string, verifier: Verifier): TreeHead {
  const sth = parseSth(json(answer));
  claim(sth, 'the tree head is malformed');
  claim(sth.enclave === enclave, 'the tree head is of another enclave');
  claim(verifySth(sth, verifier), 'the tree head is not signed by the sequencer it names');
  claim(sth.ts > 0 || sth.r === toHex(EMPTY_HASH), 'the root of an empty log is not that of an empty log');
  return sth;
}

/** The answer as the proof that `older` is a prefix of `newer` (RFC 9162 §2.1.4). Throws Mismatch. */
export function checkConsistency(answer: unknown, older: TreeHead, newer: TreeHead): readonly string[] {
  const { ts1, ts2, p } = shaped<{ ts1: number; ts2: number; p: string[] }>(answer, 'the proof', {
    ts1: isSeq,
    ts2: isSeq,
    p: isListOf(isId),
  });
  claim(
    ts1 === older.ts && ts2 === newer.ts,
    `the proof is between ${ts1} and ${ts2} bundles, not ${older.ts} and ${newer.ts}`,
  );
  claim(
    verifyConsistency(ts1, ts2, unhex(older.r), unhex(newer.r), p.map(unhex)),
    `the tree head of ${newer.ts} bundles does not continue the one of ${older.ts} (the log was forked or rewritten)`,
  );
  return p;
}

const INCLUSION = {
  ts: isSeq,
  li: isSeq,
  p: isListOf(isId),
  events_root: isId,
  state_hash: isId,
  first_seq: isSeq,
  bundle_size: isSeq,
};

/** The answer as the proof that a bundle is leaf `li` under the tree head (RFC 9162 §2.1.3). Throws Mismatch. */
export function checkInclusion(answer: unknown, sth: TreeHead): Inclusion {
  const proof = shaped<Inclusion>(answer, 'the proof', INCLUSION);
  claim(proof.ts === sth.ts, `the proof is for a tree of ${proof.ts} bundles, not ${sth.ts}`);
  claim(proof.bundle_size >= 1 && proof.bundle_size <= 4096, 'a bundle has 1 to 4,096 events');
  const leaf = ctLeaf(
    ctLeafData(unhex(proof.events_root), unhex(proof.state_hash), proof.first_seq, proof.bundle_size),
  );
  claim(
    verifyInclusion(unhex(sth.r), leaf, proof.li, proof.ts, proof.p.map(unhex)),
    'the bundle is not in the log of the tree head',
  );
  return proof;
}

const BUNDLE = { event_id: isId, bundle_index: isSeq, bundle_size: isSeq, siblings: isListOf(isId), leaf_index: isSeq };

/** The shape of a bundle proof; `checkInBundle` proves it once the bundle's root is known. Throws Mismatch. */
export function shapeBundleProof(answer: unknown): BundleProof {
  return shaped<BundleProof>(answer, 'the proof', BUNDLE);
}

/** The event stands at seq `first_seq + bundle_index` of an included bundle. Returns that seq. Throws Mismatch. */
export function checkInBundle(proof: BundleProof, bundle: Inclusion): number {
  claim(proof.leaf_index === bundle.li, 'the proof is for another bundle');
  claim(proof.bundle_size === bundle.bundle_size, 'the bundle has another size');
  claim(
    verifyBundlePath(
      unhex(bundle.events_root),
      unhex(proof.event_id),
      proof.bundle_index,
      proof.bundle_size,
      proof.siblings.map(unhex),
    ),
    'the event is not in the bundle',
  );
  return bundle.first_seq + proof.bundle_index;
}

/**
 * The answer as proof of what `raw` (the raw key of PROTOCOL §6) holds under a state hash: 32 bytes, or null for
 * nothing. Throws Mismatch.
 */
export function checkStateProof(
  answer: unknown,
  namespace: Namespace,
  raw: Uint8Array,
  stateHash: string,
  extra: readonly string[] = [],
): StateProof {
  const proof = parseSmtProof(json(answer), extra);
  claim(proof, 'the proof is malformed');
  claim(toHex(proof.key) === toHex(smtKey(namespace, raw)), 'the proof is about another key');
  claim(smtVerify(unhex(stateHash), proof), 'the proof does not lead to the state hash');
  return answer as StateProof;
}

function json(value: unknown): Json {
  try {
    return toJson(value);
  } catch {
    claim(false, 'it is no JSON of this protocol');
  }
}
