import { bundlePath } from '../../protocol/bundle-tree.ts';
import { equalBytes, utf8, viewOf } from '../../protocol/bytes.ts';
import { assemble, type CtPlan, consistencyPlan, inclusionPlan } from '../../protocol/ct.ts';
import { type ErrorCode, errorNumber } from '../../protocol/errors.ts';
import { type EnclaveId, hex32, hex64, toHex } from '../../protocol/hex.ts';
import { mayRead, mayReadAnything, readsEverything } from '../../protocol/read-rules.ts';
import { type ClosingRecord, getI64, readClosingRecord, readEventRecord } from '../../protocol/records.ts';
import { type Request, readRequest } from '../../protocol/requests.ts';
import { checkSession } from '../../protocol/session.ts';
import { type Smt, smtProofMembers, smtProve, smtRoot } from '../../protocol/smt.ts';
import { decodeKvKey, NAMESPACE_KV, NAMESPACE_RBAC, NAMESPACE_STATUS, smtKey } from '../../protocol/smt-keys.ts';
import { sthJson } from '../../protocol/sth.ts';
import {
  type KernelHost,
  type Need,
  REQUEST_BUNDLE,
  REQUEST_CONSISTENCY,
  REQUEST_INCLUSION,
  REQUEST_INFO,
  REQUEST_STATE,
  REQUEST_STATE_BATCH,
  REQUEST_STH,
  type ReadResult,
} from '../kernel.ts';
import type { SealedLog } from './sealed-log.ts';
import { readerOf, type State } from './state.ts';
import { eventMeta, isReadable } from './visible.ts';

/**
 * Info, tree heads and proofs (PROTOCOL §9). What lies in the log is asked for by `Need`s: a read runs from its start on
 * every call, takes answers in the order of its questions, and where they end returns the questions that it has then.
 * Questions that do not depend on each other are asked together, in the order of what they are for.
 *
 * Where PROTOCOL is silent:
 * - A consistency proof without `from` begins at the empty tree, without `to` ends at the latest head.
 * - `ts` that does not cover the leaf, or `from` > `to`: `invalid_filter`; beyond the latest head: `bundle_open`.
 * - Rights come before `bundle_open`; the form of all keys before the rights on any.
 * - An event that is not sealed yet does not exist here. Until the Manifest is sealed neither does the enclave.
 * - The status of an event of a predefined type (which never has one) may be proved by who may read that event.
 * - /state-batch answers {"proofs":[…],"state_hash","leaf_index"}.
 */
export interface ReadView {
  readonly host: KernelHost;
  readonly enclave: Uint8Array;
  /** as staged */
  readonly state: State;
  readonly seq: number;
  readonly timestamp: number;
  /** the last closing as staged */
  readonly closed: { readonly tree: Smt; readonly index: number } | null;
  /** as sealed */
  readonly log: SealedLog;
}

/** Where an inspected request's payload begins. */
const HEAD = 144;

type ProofRequest = Extract<Request, { kind: typeof REQUEST_INCLUSION | typeof REQUEST_BUNDLE }>;
type StateRequest = Extract<Request, { kind: typeof REQUEST_STATE | typeof REQUEST_STATE_BATCH }>;

class Stop extends Error {
  readonly result: ReadResult;
  constructor(result: ReadResult) {
    super('a read that cannot be answered yet, or at all');
    this.result = result;
  }
}

function fail(code: ErrorCode): never {
  throw new Stop({ kind: 'error', code: errorNumber(code), detail: '' });
}

type Ask = (needs: readonly Need[]) => Uint8Array[];

export function readAnswer(view: ReadView, bytes: Uint8Array, now: number, answers: readonly Uint8Array[]): ReadResult {
  let used = 0;
  const ask: Ask = (needs) => {
    if (used + needs.length > answers.length) throw new Stop({ kind: 'need', needs });
    used += needs.length;
    return answers.slice(used - needs.length, used);
  };
  try {
    return { kind: 'json', bytes: utf8(answer(view, bytes, now, ask)) };
  } catch (stop) {
    if (stop instanceof Stop) return stop.result;
    throw stop;
  }
}

/** null, or why the session does not hold. The token must name the sequencer that Info names. */
export function sessionError(host: KernelHost, state: State, request: Request, now: number): ErrorCode | null {
  const verifier = {
    verifySchnorr: (pub: Uint8Array, hash: Uint8Array, sig: Uint8Array) => host.verify(0, pub, hash, sig),
    verifyEcdsa: (pub: Uint8Array, hash: Uint8Array, sig: Uint8Array) => host.verify(1, pub, hash, sig),
  };
  return checkSession(request.session, request.from, state.sequencer, now, verifier);
}

function answer(view: ReadView, bytes: Uint8Array, now: number, ask: Ask): string {
  if (bytes[6] === REQUEST_STH) return treeHead(view);
  if (bytes[6] === REQUEST_CONSISTENCY) return consistency(view, bytes, ask);
  const request = readRequest(bytes);
  if (request.kind === REQUEST_INFO) return info(view);
  const session = sessionError(view.host, view.state, request, now);
  if (session !== null) fail(session);
  switch (request.kind) {
    case REQUEST_INCLUSION:
      return inclusion(view, request, ask);
    case REQUEST_BUNDLE:
      return bundle(view, request, ask);
    case REQUEST_STATE:
    case REQUEST_STATE_BATCH:
      return stateProofs(view, request, ask);
    default:
      throw new RangeError('not a request that read answers');
  }
}

function info({ enclave, state, seq, timestamp, log }: ReadView): string {
  const { size, timeout } = state.manifest;
  return (
    `{"type":"Info","enclave":"${toHex(enclave)}","sequencer":"${toHex(state.sequencer)}","head":${seq},"timestamp":${timestamp},` +
    `"status":"${state.status}","bundle":{"size":${size},"timeout":${timeout}},"lanes":0,"manifest":"${toHex(log.manifestId)}"}`
  );
}

function treeHead({ enclave, log }: ReadView): string {
  const head = log.treeHead;
  if (head === null) throw new Error('a sealed Manifest has a tree head');
  return sthJson({
    enclave: hex32<EnclaveId>(enclave),
    t: head.t,
    ts: log.ct.size,
    r: hex32(head.r),
    sequencer: hex32(head.sequencer),
    sig: hex64(head.sig),
  });
}

/** Without `from` the empty tree, without `to` the latest head. */
function consistency({ log }: ReadView, bytes: Uint8Array, ask: Ask): string {
  const payload = viewOf(bytes.subarray(HEAD));
  const from = Math.max(getI64(payload, 0), 0);
  const to = getI64(payload, 8) < 0 ? log.ct.size : getI64(payload, 8);
  if (from > to) fail('invalid_filter');
  if (to > log.ct.size) fail('bundle_open');
  return `{"ts1":${from},"ts2":${to},"p":${hexList(nodesOf(consistencyPlan(from, to), ask))}}`;
}

function nodesOf(plan: CtPlan, ask: Ask): Uint8Array[] {
  const ids = plan.flat();
  const nodes = ask(ids.map(({ level, index }) => ({ kind: 1, a: level, b: index })));
  return assemble(plan, (node) => nodes[ids.indexOf(node)] as Uint8Array);
}

function hexList(hashes: readonly Uint8Array[]): string {
  return `[${hashes.map((hash) => `"${toHex(hash)}"`).join(',')}]`;
}

function inclusion(view: ReadView, request: ProofRequest, ask: Ask): string {
  const { by } = request;
  const closing =
    by.by === 'leaf_index' ? closingByLeaf(view, request, by.n, ask) : closingOfEvent(view, request, ask).closing;
  const ts = request.ts ?? view.log.ct.size;
  if (ts > view.log.ct.size) fail('bundle_open');
  if (ts <= closing.index) fail('invalid_filter');
  const path = nodesOf(inclusionPlan(closing.index, ts), ask);
  return (
    `{"ts":${ts},"li":${closing.index},"p":${hexList(path)},"events_root":"${toHex(closing.eventsRoot)}",` +
    `"state_hash":"${toHex(closing.stateHash)}","first_seq":${closing.firstSeq},"bundle_size":${closing.size}}`
  );
}

function closingByLeaf(view: ReadView, request: ProofRequest, index: number, ask: Ask): ClosingRecord {
  if (!mayReadAnything(view.state.manifest, readerOf(view.state, request.from))) fail('forbidden');
  if (index >= view.log.ct.size) fail('bundle_open');
  const [record] = ask([{ kind: 2, a: index, b: 0 }]);
  return record === undefined || record.length === 0 ? fail('bundle_open') : readClosingRecord(record);
}

/** The closed bundle of the event that a request names, if the asker may read that event. */
function closingOfEvent(view: ReadView, request: ProofRequest, ask: Ask): { seq: number; closing: ClosingRecord } {
  const { by } = request;
  const seq = by.by === 'id' ? (eventMeta(view.host, by.id)?.seq ?? -1) : by.n;
  const [stored] = seq < 0 || seq > view.log.seq ? [] : ask([{ kind: 4, a: seq, b: 0 }]);
  if (stored === undefined || stored.length === 0) {
    return fail(
      readsEverything(view.state.manifest, readerOf(view.state, request.from)) ? 'event_not_found' : 'forbidden',
    );
  }
  if (!readableEvent(view, request, stored)) fail('forbidden');
  const [record] = ask([{ kind: 5, a: seq, b: 0 }]);
  if (record === undefined || record.length === 0) return fail('bundle_open');
  return { seq, closing: readClosingRecord(record) };
}

/** `stored`: the event's record, and behind it its content. */
function readableEvent(view: ReadView, request: Request, stored: Uint8Array): boolean {
  const length = viewOf(stored).getUint32(0, true);
  const event = readEventRecord(stored.subarray(0, length));
  return isReadable(view.state, view.host, request.from, event, stored.subarray(length), false);
}

function bundle(view: ReadView, request: ProofRequest, ask: Ask): string {
  const { seq, closing } = closingOfEvent(view, request, ask);
  const [packed = new Uint8Array(0)] = ask([{ kind: 3, a: closing.firstSeq, b: closing.size }]);
  const ids = Array.from({ length: closing.size }, (_, i) => packed.subarray(32 * i, 32 * i + 32));
  const index = seq - closing.firstSeq;
  return (
    `{"event_id":"${toHex(ids[index] as Uint8Array)}","bundle_index":${index},"bundle_size":${closing.size},` +
    `"siblings":${hexList(bundlePath(ids, index))},"leaf_index":${closing.index}}`
  );
}

function stateProofs(view: ReadView, request: StateRequest, ask: Ask): string {
  const { namespace, keys } = request;
  for (const key of keys) if (!wellFormed(namespace, key)) fail('invalid_filter');
  // Only an event's own record says who may read it; all of them are asked for at once.
  const seqs = keys.map((key) => (namespace === NAMESPACE_STATUS ? (eventMeta(view.host, key)?.seq ?? -1) : -1));
  const stored = ask(seqs.filter((seq) => seq >= 0).map((seq) => ({ kind: 4, a: seq, b: 0 })));
  for (const [i, key] of keys.entries()) {
    const event = (seqs[i] as number) >= 0 ? stored.shift() : undefined;
    if (!mayProve(view, request, namespace, key, event)) fail('forbidden');
  }
  if (view.closed === null) return fail('bundle_open');
  const { tree, index } = view.closed;
  const proofs = keys.map((key) => smtProofMembers(smtProve(tree, smtKey(namespace, key))));
  const bound = `"state_hash":"${toHex(smtRoot(tree))}","leaf_index":${index}`;
  if (request.kind === REQUEST_STATE) return `{${proofs[0]},${bound}}`;
  return `{"proofs":[${proofs.map((members) => `{${members}}`).join(',')}],${bound}}`;
}

function wellFormed(namespace: number, key: Uint8Array): boolean {
  return namespace === NAMESPACE_KV ? decodeKvKey(key) !== null : key.length === 32;
}

/** Proofs follow reading (PROTOCOL §5), by what the reader holds now: retention marks are about events, not state. */
function mayProve(
  view: ReadView,
  request: Request,
  namespace: number,
  key: Uint8Array,
  event: Uint8Array | undefined,
): boolean {
  const { state } = view;
  const reader = readerOf(state, request.from);
  const may = (type: string, more: { key?: string; sender?: boolean } = {}): boolean =>
    mayRead(state.manifest, reader, { type, seq: Number.MAX_SAFE_INTEGER, self: false, sender: false, ...more });
  if (namespace === NAMESPACE_RBAC) return equalBytes(key, request.from) || may('Move');
  if (namespace === NAMESPACE_STATUS) {
    return event === undefined || event.length === 0
      ? mayReadAnything(state.manifest, reader)
      : readableEvent(view, request, event);
  }
  const kv = decodeKvKey(key);
  switch (kv?.kind) {
    case 'status':
      return true;
    case 'gate':
      return may('Gate');
    case 'shared':
      return may('Shared', { key: kv.key });
    case 'own':
      return may('Own', { key: kv.key, sender: equalBytes(kv.from, request.from) });
    default:
      return false;
  }
}
