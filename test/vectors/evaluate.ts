import type { InspectMode } from '../../protocol/layout.ts';
import { bundlePath, eventsRoot, verifyBundlePath } from '../../protocol/bundle-tree.ts';
import { utf8 } from '../../protocol/bytes.ts';
import { type Cbor, encodeCbor } from '../../protocol/cbor.ts';
import {
  commitJson,
  contentHashOf,
  enclaveIdOf,
  parseCommit,
  signCommit,
  verifyCommit,
} from '../../protocol/commit.ts';
import {
  assemble,
  CtFrontier,
  type CtNodeId,
  consistencyPlan,
  inclusionPlan,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/ct.ts';
import { errorBody, errorOf } from '../../protocol/errors.ts';
import { eventHashOf, eventJson, parseEvent, signEvent, verifyEvent } from '../../protocol/event.ts';
import {
  chainStep,
  contentHash,
  ctLeaf,
  ctLeafData,
  ctNode,
  keySeed,
  sequencerSecret,
  sha256,
  type Tags,
} from '../../protocol/hash.ts';
import { type EnclaveId, fromHex, isHex32, type PublicKey, toHex, unhex } from '../../protocol/hex.ts';
import { inspectBody } from '../../protocol/inspect.ts';
import { canonical, type Json, parseJson, toJson } from '../../protocol/json.ts';
import { jump, laneOf, shardOf } from '../../protocol/jump.ts';
import { parseReceipt, receiptJson, receiptOfEvent, verifyReceipt } from '../../protocol/receipt.ts';
import { noble } from '../../protocol/secp.ts';
import { checkSession, makeSession, parseSession } from '../../protocol/session.ts';
import {
  EMPTY_SMT,
  parseSmtProof,
  type Smt,
  smtProofJson,
  smtProve,
  smtRoot,
  smtSet,
  smtVerify,
} from '../../protocol/smt.ts';
import { decodeKvKey, smtKey } from '../../protocol/smt-keys.ts';
import { parseSth, signSth, sthHash, sthJson, verifySth } from '../../protocol/sth.ts';

/** A row of the vectors: what goes in, and what must come out. Bytes are hex, JSON is text, `error` is a code. */
export interface Row {
  readonly name: string;
  readonly kind: string;
  readonly in: Input;
  readonly out: unknown;
}
// biome-ignore lint/suspicious/noExplicitAny: rows are JSON that a file brings; each kind knows its own fields
export type Input = Readonly<Record<string, any>>;

/** What each kind of row means: one function per kind, from its inputs to its results. */
export const KINDS: Readonly<Record<string, (x: Input) => unknown>> = {
  json(x) {
    const parsed = parseJson(unhex(x.utf8));
    if (parsed === null) return { error: 'invalid_json' };
    const { value } = parsed;
    return { canonical: canonical(value), cbor: toHex(encodeCbor(value)), content_hash: toHex(contentHash(value)) };
  },
  /** `fields`: JSON values; {"hex":…} is a byte string. */
  preimage(x) {
    const preimage = encodeCbor([x.prefix, ...(x.fields as unknown[]).map(field)]);
    return { preimage: toHex(preimage), hash: toHex(sha256(preimage)) };
  },
  raw_preimage(x) {
    return { hash: toHex(sha256(unhex(x.bytes))) };
  },
  sign_commit(x) {
    const { secret, content, ...draft } = x;
    return { commit: commitJson(signCommit({ ...draft, content: read(content) } as never, unhex(secret))) };
  },
  verify_commit(x) {
    const commit = parseCommit(read(x.commit), { erasable: x.erasable === true });
    if (commit === null) return { error: 'invalid_commit' };
    return (
      verdict(verifyCommit(commit)) ?? { content_hash: toHex(contentHashOf(commit)), canonical: commitJson(commit) }
    );
  },
  sign_event(x) {
    const { commit, secret, ...place } = x;
    const event = signEvent(parseCommit(read(commit)) as never, place as never, unhex(secret));
    return {
      event_hash: toHex(eventHashOf(event, event)),
      event: eventJson(event),
      receipt: receiptJson(receiptOfEvent(event)),
    };
  },
  verify_event(x) {
    const event = parseEvent(read(x.event));
    return event === null ? { ok: false } : (verdict(verifyEvent(event)) ?? { ok: true });
  },
  verify_receipt(x) {
    const receipt = parseReceipt(read(x.receipt));
    return receipt === null
      ? { ok: false }
      : (verdict(verifyReceipt(receipt, parseCommit(read(x.commit)) as never)) ?? { ok: true });
  },
  enclave(x) {
    const content = read(x.content);
    const seed = keySeed(unhex(x.from), content, x.tags as Tags);
    const secret = sequencerSecret(unhex(x.master), seed);
    const sequencer = toHex(noble.publicKey(secret) as Uint8Array);
    return {
      enclave: enclaveIdOf(x.from as PublicKey, content, x.tags as Tags),
      key_seed: toHex(seed),
      secret: toHex(secret),
      sequencer,
    };
  },
  public_key(x) {
    const key = noble.publicKey(unhex(x.secret));
    return key === null ? { ok: false } : { public_key: toHex(key) };
  },
  chain(x) {
    return { chain: toHex((x.ids as string[]).reduce((chain, id) => chainStep(chain, unhex(id)), unhex(x.enclave))) };
  },
  make_session(x) {
    return { token: makeSession(unhex(x.secret), unhex(x.sequencer), x.expires) };
  },
  /** `now` in milliseconds. */
  check_session(x) {
    const session = parseSession(x.token);
    if (session === null) return { error: 'invalid_session' };
    return verdict(checkSession(session, unhex(x.from), unhex(x.sequencer), x.now)) ?? { ok: true };
  },
  smt_key(x) {
    const raw = unhex(x.raw);
    if (x.namespace === 2 && decodeKvKey(raw) === null) return { error: 'invalid_filter' };
    return { key: toHex(smtKey(x.namespace, raw)) };
  },
  smt(x) {
    const tree = treeOf(x.leaves);
    return {
      root: toHex(smtRoot(tree)),
      proofs: (x.keys as string[]).map((key) => smtProofJson(smtProve(tree, unhex(key)))),
    };
  },
  verify_smt(x) {
    const proof = parseSmtProof(read(x.proof));
    return { ok: proof !== null && smtVerify(unhex(x.root), proof) };
  },
  bundle(x) {
    const ids = (x.ids as string[]).map(unhex);
    const root = eventsRoot(ids);
    const data = ctLeafData(root, unhex(x.state_hash), x.first_seq, ids.length);
    const paths = ids.map((_, i) => bundlePath(ids, i).map(toHex));
    return { events_root: toHex(root), paths, leaf_data: toHex(data), leaf_hash: toHex(ctLeaf(data)) };
  },
  verify_bundle(x) {
    return { ok: verifyBundlePath(unhex(x.root), unhex(x.id), x.index, x.size, (x.siblings as string[]).map(unhex)) };
  },
  ct(x) {
    const leaves = (x.leaves as string[]).map(unhex);
    const frontier = new CtFrontier();
    for (const leaf of leaves) frontier.append(leaf);
    const get = (node: CtNodeId): Uint8Array => perfect(leaves, node.level, node.index);
    return {
      root: toHex(frontier.root()),
      inclusion: leaves.map((_, i) => assemble(inclusionPlan(i, leaves.length), get).map(toHex)),
      consistency: [0, ...leaves.map((_, i) => i + 1)].map((from) =>
        assemble(consistencyPlan(from, leaves.length), get).map(toHex),
      ),
    };
  },
  verify_inclusion(x) {
    return { ok: verifyInclusion(unhex(x.root), unhex(x.leaf), x.index, x.size, (x.path as string[]).map(unhex)) };
  },
  verify_consistency(x) {
    return {
      ok: verifyConsistency(x.from, x.to, unhex(x.from_root), unhex(x.to_root), (x.path as string[]).map(unhex)),
    };
  },
  sign_sth(x) {
    const { secret, ...head } = x;
    const sth = signSth(head as never, unhex(secret));
    return { message: toHex(sthHash(sth)), sth: sthJson(sth) };
  },
  verify_sth(x) {
    const sth = parseSth(read(x.sth));
    return { ok: sth !== null && verifySth(sth) };
  },
  /** `key`: a u64 as 16 hex digits. */
  jump(x) {
    return { bucket: jump(BigInt(`0x${x.key}`), x.buckets) };
  },
  shard(x) {
    return { shard: shardOf(unhex(x.enclave), x.shards, x.attempt) };
  },
  lane(x) {
    return { lane: laneOf(unhex(x.enclave), unhex(x.from), x.m) };
  },
  /** What a node makes of a body before it looks at any enclave: a code, or the inspected records (kernel/kernel.ts). */
  inspect(x) {
    const { kind, code, bytes } = inspectBody(
      utf8(x.body),
      x.mode as InspectMode,
      x.enclave === undefined ? undefined : unhex(x.enclave),
    );
    const found = kind === 'error' ? code : (bytes[4] ?? 0);
    return { kind, ...(found === 0 ? {} : { error: errorOf(found).code }), records: toHex(bytes) };
  },
  hex(x) {
    return { hex32: isHex32<EnclaveId>(x.text), bytes: fromHex(x.text)?.length ?? null };
  },
  error(x) {
    return { code: errorOf(x.number).code, status: errorOf(x.number).status, body: errorBody(x.number, x.detail) };
  },
};

/** What comes out for a row's input; throws on an unknown kind. */
export function evaluate(row: Pick<Row, 'kind' | 'in'>): unknown {
  const kind = KINDS[row.kind];
  if (kind === undefined) throw new RangeError(`no vectors of kind ${row.kind}`);
  return kind(row.in);
}

function verdict(error: string | null): { error: string } | null {
  return error === null ? null : { error };
}

function read(text: string): Json {
  const parsed = parseJson(utf8(text));
  if (parsed === null) throw new TypeError(`a vector with JSON that cannot be read: ${text}`);
  return parsed.value;
}

function field(value: unknown): Cbor {
  return typeof value === 'object' && value !== null && 'hex' in value ? unhex(String(value.hex)) : toJson(value);
}

function treeOf(leaves: readonly (readonly [string, string])[]): Smt {
  return leaves.reduce((tree, [key, value]) => smtSet(tree, unhex(key), unhex(value)), EMPTY_SMT);
}

function perfect(leaves: readonly Uint8Array[], level: number, index: number): Uint8Array {
  if (level === 0) return leaves[index] as Uint8Array;
  return ctNode(perfect(leaves, level - 1, 2 * index), perfect(leaves, level - 1, 2 * index + 1));
}
