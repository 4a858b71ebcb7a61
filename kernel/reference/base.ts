import { concat, equalBytes, pad8, utf8, viewOf } from '../../protocol/bytes.ts';
import { CtFrontier, frontierPlan } from '../../protocol/ct.ts';
import { ZERO32 } from '../../protocol/hash.ts';
import { parseJson } from '../../protocol/json.ts';
import { readManifest } from '../../protocol/manifest.ts';
import { getI64, getU64, setI64, setU64 } from '../../protocol/records.ts';
import { STATUSES } from '../../protocol/rules-lifecycle.ts';
import { EMPTY_SMT, type Smt, smtLeaves, smtSet } from '../../protocol/smt.ts';
import { type EnclaveParams, FORMAT_VERSION, RULES_VERSION } from '../kernel.ts';
import { SealedLog } from './sealed-log.ts';
import { markName, type State, sortedMarks } from './state.ts';

/** The canonical state at a bundle boundary, to bytes and back (layout: kernel/kernel.ts, exportBase). */
const MAGIC = utf8('ENCK');
const HEAD = 352;
const LEAF = 56;
const MARK = 48;
const LANE = 0;

export interface Base {
  readonly state: State;
  /** canonical JSON */
  readonly manifestContent: Uint8Array;
  readonly log: SealedLog;
}

export function writeBase({ state, manifestContent, log }: Base): Uint8Array {
  const leaves = [...smtLeaves(state.tree)];
  const marks = sortedMarks(state);
  const frontier = log.ct.frontier();
  const manifestLength = pad8(manifestContent.length);
  const out = new Uint8Array(HEAD + manifestLength + LEAF * leaves.length + MARK * marks.length + 32 * frontier.length);
  const view = viewOf(out);
  out.set(MAGIC, 0);
  view.setUint16(4, FORMAT_VERSION, true);
  view.setUint16(6, RULES_VERSION, true);
  out.set(log.enclave, 8);
  out.set(state.sequencer, 40);
  out.set(state.newSequencer ?? ZERO32, 72);
  view.setUint32(104, LANE, true);
  out[108] = STATUSES.indexOf(state.status);
  setI64(view, 112, log.seq);
  setU64(view, 120, log.timestamp);
  out.set(log.chain, 128);
  out.set(log.manifestId, 160);
  setU64(view, 192, log.ct.size);
  const head = log.treeHead;
  if (head === null) throw new Error('no tree head: there is no Manifest yet');
  setU64(view, 200, head.t);
  out.set(head.r, 208);
  out.set(head.sig, 240);
  out.set(head.sequencer, 304);
  view.setUint32(336, manifestContent.length, true);
  view.setUint32(340, leaves.length, true);
  view.setUint32(344, marks.length, true);
  view.setUint32(348, frontier.length, true);
  out.set(manifestContent, HEAD);
  let at = HEAD + manifestLength;
  for (const { key, value } of leaves) {
    out.set(key, at);
    out.set(value, at + 24);
    at += LEAF;
  }
  for (const { identity, column, seq } of marks) {
    out.set(identity, at);
    view.setUint32(at + 32, column, true);
    setU64(view, at + 40, seq);
    at += MARK;
  }
  out.set(concat(...frontier), at);
  return out;
}

/** Throws on bytes that `writeBase` has not made for this enclave. */
export function readBase(params: EnclaveParams, bytes: Uint8Array): Base {
  const base = parseBase(params, bytes.slice());
  if (!equalBytes(writeBase(base), bytes)) throw new Error('an exported state that is not in its canonical form');
  return base;
}

function parseBase(params: EnclaveParams, bytes: Uint8Array): Base {
  if (bytes.length < HEAD || !equalBytes(bytes.subarray(0, 4), MAGIC)) throw new Error('not an exported state');
  const view = viewOf(bytes);
  if (view.getUint16(4, true) !== FORMAT_VERSION || view.getUint16(6, true) !== RULES_VERSION) {
    throw new Error(`an exported state of format ${view.getUint16(4, true)}, rules ${view.getUint16(6, true)}`);
  }
  if (!equalBytes(bytes.subarray(8, 40), params.enclave)) throw new Error('the exported state of another enclave');
  const [manifestLength, leaves, marks, nodes] = [336, 340, 344, 348].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  const leavesAt = HEAD + pad8(manifestLength);
  const marksAt = leavesAt + LEAF * leaves;
  const nodesAt = marksAt + MARK * marks;
  const closings = getU64(view, 192);
  if (bytes.length !== nodesAt + 32 * nodes || nodes !== frontierPlan(closings).length)
    throw new Error('an exported state of the wrong length');

  const manifestContent = bytes.slice(HEAD, HEAD + manifestLength);
  const json = parseJson(manifestContent);
  const manifest = json === null ? null : readManifest(json.value);
  const status = STATUSES[bytes[108] as number];
  if (!manifest?.ok || status === undefined) throw new Error('an exported state without a valid Manifest or status');
  const newSequencer = bytes.slice(72, 104);
  const markRows = Array.from({ length: marks }, (_, i) => {
    const at = marksAt + MARK * i;
    return [markName(bytes.subarray(at, at + 32), view.getUint32(at + 32, true)), getU64(view, at + 40)] as const;
  });

  const log = new SealedLog(params.enclave);
  log.seq = getI64(view, 112);
  log.timestamp = getU64(view, 120);
  log.chain = bytes.slice(128, 160);
  log.manifestId = bytes.slice(160, 192);
  log.ct = new CtFrontier(
    closings,
    Array.from({ length: nodes }, (_, i) => bytes.slice(nodesAt + 32 * i, nodesAt + 32 * (i + 1))),
  );
  log.treeHead = {
    t: getU64(view, 200),
    r: bytes.slice(208, 240),
    sig: bytes.slice(240, 304),
    sequencer: bytes.slice(304, 336),
  };
  if (!equalBytes(log.ct.root(), log.treeHead.r))
    throw new Error('an exported state whose tree head is not over its tree');
  return {
    state: {
      manifest: manifest.manifest,
      tree: parseLeaves(bytes, leavesAt, leaves),
      marks: new Map(markRows),
      status,
      sequencer: bytes.slice(40, 72),
      newSequencer: newSequencer.every((byte) => byte === 0) ? null : newSequencer,
    },
    manifestContent,
    log,
  };
}

function parseLeaves(bytes: Uint8Array, at: number, count: number): Smt {
  let tree = EMPTY_SMT;
  for (let i = 0; i < count; i++) {
    const from = at + LEAF * i;
    tree = smtSet(tree, bytes.slice(from, from + 21), bytes.slice(from + 24, from + LEAF));
  }
  return tree;
}
