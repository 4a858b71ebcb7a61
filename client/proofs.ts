import { toHex, unhex } from '../protocol/hex.ts';
import { MAX_STATE_KEYS } from '../protocol/limits.ts';
import { encodeKvKey, NAMESPACES, type Namespace } from '../protocol/smt-keys.ts';
import { claim, isId, isSeq, shaped, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import { NodeLied } from './errors.ts';
import type { TreeHead } from './heads.ts';
import type { BundleProof, Inclusion, StateProof } from './types.ts';
import {
  checkConsistency,
  checkInBundle,
  checkInclusion,
  checkStateProof,
  checkTreeHead,
  shapeBundleProof,
} from './verify-tree.ts';

/** A place in the state tree, in words; `raw` takes the raw key of PROTOCOL §6 in hex. */
export type StateKey =
  | { readonly member: string }
  | { readonly event: string }
  | { readonly shared: string }
  | { readonly own: string; readonly from: string }
  | { readonly gate: string }
  | { readonly status: true }
  | { readonly namespace: (typeof NAMESPACES)[number]; readonly raw: string };

/** What a place held at the end of event `asOf`, proved under `sth`. */
export interface ProvedState {
  /** 64 hex digits, or null: nothing is there. */
  readonly value: string | null;
  /** Last event of the bundle the proof is about; what came after it is not in it. */
  readonly asOf: number;
  readonly stateHash: string;
  readonly sth: TreeHead;
  readonly proof: StateProof;
}

/** An event, its bundle and the tree head over it: who holds these three needs no node to check the event. */
export interface ProvedEvent {
  readonly id: string;
  readonly seq: number;
  readonly bundle: BundleProof;
  readonly inclusion: Inclusion;
  readonly sth: TreeHead;
}

export type EventRef = { readonly seq: number } | { readonly id: string };

/** Proofs about one enclave. Each is checked up to a signed tree head, and each tree head against the one before it. */
export class Proofs {
  private readonly talk: Conversation;

  constructor(talk: Conversation) {
    this.talk = talk;
  }

  /** The current tree head: signed by the sequencer, and consistent with the newest one known, which it then replaces. */
  async sth(): Promise<TreeHead> {
    await this.talk.settle();
    const floor = this.talk.trust.sth;
    const answer = await this.talk.ask({ method: 'GET', path: `/${this.talk.enclave}/sth` });
    return this.take('sth', answer, floor);
  }

  /**
   * Checks a tree head from anywhere (close-bundle, another client): signed by a sequencer of the enclave, and one
   * history with the newest one known. `floor`: the one known when this was asked for, behind which it must not be.
   */
  async take(call: string, answer: unknown, floor?: TreeHead): Promise<TreeHead> {
    await this.talk.settle();
    const sth = told(call, answer, () => checkTreeHead(answer, this.talk.enclave, this.talk.secp));
    await this.talk.expectSequencer(call, sth.sequencer);
    told(call, { sth, before: floor }, () => {
      const before = floor?.ts ?? 0;
      claim(
        sth.ts >= before,
        `it has ${sth.ts} bundles, but ${before} were shown before: the node lost some or shows an old head`,
      );
    });
    const newest = this.talk.trust.sth;
    if (newest) await this.compare(call, ...(sth.ts < newest.ts ? ([sth, newest] as const) : ([newest, sth] as const)));
    this.talk.trust.advance(sth);
    await this.talk.trust.save();
    return sth;
  }

  /** Two tree heads of one history, the smaller first: times, terms, and the proof of consistency. */
  private async compare(call: string, older: TreeHead, newer: TreeHead): Promise<void> {
    const term = (head: TreeHead): number => this.talk.trust.terms.findIndex((one) => one.sequencer === head.sequencer);
    told(call, { older, newer }, () => {
      claim(newer.t >= older.t, 'the larger of two tree heads is the older one');
      claim(term(newer) >= term(older), 'it is signed by a sequencer whose term is over');
      const same = newer.r === older.r && newer.t === older.t;
      claim(newer.ts !== older.ts || same, 'two different tree heads of the same size (the log was forked)');
    });
    if (older.ts < newer.ts) await this.consistency(older, newer);
  }

  /** Shows that `newer` continues `older`; throws NodeLied if it does not. The tree heads must have been checked. */
  async consistency(older: TreeHead, newer: TreeHead): Promise<readonly string[]> {
    if (older.ts > newer.ts) throw new TypeError('consistency goes from the smaller tree head to the larger');
    const path = `/${this.talk.enclave}/consistency?from=${older.ts}&to=${newer.ts}`;
    const answer = await this.talk.ask({ method: 'GET', path });
    return told('consistency', answer, () => checkConsistency(answer, older, newer));
  }

  /** The bundle with this number, or the one that holds this event, proved under `sth` (default: the current one). */
  async inclusion(
    of: EventRef | { readonly leaf_index: number },
    sth?: TreeHead,
  ): Promise<Inclusion & { readonly sth: TreeHead }> {
    const head = sth ?? (await this.sth());
    if ('id' in of) {
      const { inclusion } = await this.event(of, head);
      return { ...inclusion, sth: head };
    }
    return { ...(await this.ask(of, head)), sth: head };
  }

  /** The proof that an event stands in a closed bundle. Throws Refused(`bundle_open`) while its bundle is open. */
  async bundle(of: EventRef): Promise<BundleProof> {
    return (await this.event(of)).bundle;
  }

  /** The whole way from an event to a signed tree head. Throws Refused(`bundle_open`) while its bundle is open. */
  async event(of: EventRef, sth?: TreeHead): Promise<ProvedEvent> {
    const answer = await this.talk.askAs('/bundle', { ...of });
    const bundle = told('bundle', answer, () => {
      const proof = shapeBundleProof(answer);
      claim(!('id' in of) || proof.event_id === of.id, 'the proof is about another event');
      return proof;
    });
    const head = sth ?? (await this.headWith(bundle.leaf_index));
    const inclusion = await this.ask({ leaf_index: bundle.leaf_index }, head);
    const seq = told('bundle', { bundle, inclusion }, () => {
      const at = checkInBundle(bundle, inclusion);
      claim(!('seq' in of) || at === of.seq, `it proves event ${at}, not ${'seq' in of ? of.seq : ''}`);
      const seen = this.talk.trust.seen(at);
      claim(
        !seen || seen.id === bundle.event_id,
        `the log holds another event ${at} than was shown before (equivocation)`,
      );
      return at;
    });
    return { id: bundle.event_id, seq, bundle, inclusion, sth: head };
  }

  /** What a place in the state tree held at the last closed bundle. Throws Refused(`bundle_open`) before the first. */
  async state(key: StateKey): Promise<ProvedState> {
    const { namespace, raw } = place(key);
    const before = (await this.sth()).ts;
    const answer = await this.talk.askAs('/state', { namespace: NAMESPACES[namespace], key: toHex(raw) });
    const { state_hash, leaf_index, proof } = told('state', answer, () => {
      const { state_hash, leaf_index } = bound(answer, STATE);
      return {
        state_hash,
        leaf_index,
        proof: checkStateProof(answer, namespace, raw, state_hash, ['state_hash', 'leaf_index']),
      };
    });
    const leaf = await this.stateLeaf('state', answer, leaf_index, state_hash, before);
    return { ...leaf, value: proof.v, proof: { k: proof.k, v: proof.v, s: proof.s, o: proof.o } };
  }

  /** Many places; those of one kind in as few requests as possible. */
  async stateBatch(keys: readonly StateKey[]): Promise<ProvedState[]> {
    const places = keys.map(place);
    const results = new Array<ProvedState>(places.length);
    for (const namespace of [0, 1, 2] as const) {
      const mine = places.flatMap((one, i) => (one.namespace === namespace ? [{ raw: one.raw, i }] : []));
      for (let at = 0; at < mine.length; at += MAX_STATE_KEYS) {
        const some = mine.slice(at, at + MAX_STATE_KEYS);
        const proved = await this.batch(
          namespace,
          some.map(({ raw }) => raw),
        );
        for (const [k, { i }] of some.entries()) results[i] = proved[k] as ProvedState;
      }
    }
    return results;
  }

  private async batch(namespace: Namespace, raws: readonly Uint8Array[]): Promise<ProvedState[]> {
    const before = (await this.sth()).ts;
    const answer = await this.talk.askAs('/state-batch', { namespace: NAMESPACES[namespace], keys: raws.map(toHex) });
    const { state_hash, leaf_index, proofs } = told('state-batch', answer, () => {
      const found = bound(answer, BATCH) as { state_hash: string; leaf_index: number; proofs: unknown[] };
      claim(
        found.proofs.length === raws.length,
        `${raws.length} keys were asked for, ${found.proofs.length} proofs came`,
      );
      const proofs = raws.map((raw, i) => checkStateProof(found.proofs[i], namespace, raw, found.state_hash));
      return { ...found, proofs };
    });
    const leaf = await this.stateLeaf('state-batch', answer, leaf_index, state_hash, before);
    return proofs.map((proof) => ({ ...leaf, value: proof.v, proof }));
  }

  /** Ties a state hash to the log: the bundle `leaf` ends with it, and no closed bundle known before is newer. */
  private async stateLeaf(
    call: string,
    answer: unknown,
    leaf: number,
    stateHash: string,
    before: number,
  ): Promise<{ asOf: number; stateHash: string; sth: TreeHead }> {
    if (leaf < before - 1)
      throw new NodeLied(
        call,
        `it is about bundle ${leaf}, but bundle ${before - 1} was closed already (an old answer)`,
        answer,
      );
    const sth = await this.headWith(leaf);
    const inclusion = await this.ask({ leaf_index: leaf }, sth);
    told(call, { answer, inclusion }, () =>
      claim(inclusion.state_hash === stateHash, 'the state hash is not the one that the bundle was closed with'),
    );
    return { asOf: inclusion.first_seq + inclusion.bundle_size - 1, stateHash, sth };
  }

  /** A checked tree head that covers bundle `leaf`. */
  private async headWith(leaf: number): Promise<TreeHead> {
    const known = this.talk.trust.sth;
    const sth = known && known.ts > leaf ? known : await this.sth();
    if (sth.ts <= leaf)
      throw new NodeLied('sth', `bundle ${leaf} is said to be closed, but the tree head has ${sth.ts} bundles`, sth);
    return sth;
  }

  private async ask(of: { seq: number } | { leaf_index: number }, sth: TreeHead): Promise<Inclusion> {
    const answer = await this.talk.askAs('/inclusion', { ...of, ts: sth.ts });
    return told('inclusion', answer, () => {
      const proof = checkInclusion(answer, sth);
      if ('leaf_index' in of) claim(proof.li === of.leaf_index, `it is about bundle ${proof.li}, not ${of.leaf_index}`);
      else
        claim(
          of.seq >= proof.first_seq && of.seq < proof.first_seq + proof.bundle_size,
          `the bundle does not hold event ${of.seq}`,
        );
      return proof;
    });
  }
}

const STATE = { k: () => true, v: () => true, s: () => true, o: () => true, state_hash: isId, leaf_index: isSeq };
const BATCH = { proofs: Array.isArray, state_hash: isId, leaf_index: isSeq };

function bound(answer: unknown, shape: typeof STATE | typeof BATCH): { state_hash: string; leaf_index: number } {
  return shaped<{ state_hash: string; leaf_index: number }>(answer, 'the proof', shape);
}

/** Namespace and raw key of PROTOCOL §6. */
function place(key: StateKey): { namespace: Namespace; raw: Uint8Array } {
  if ('member' in key) return { namespace: 0, raw: unhex(key.member) };
  if ('event' in key) return { namespace: 1, raw: unhex(key.event) };
  if ('shared' in key) return { namespace: 2, raw: encodeKvKey({ kind: 'shared', key: key.shared }) };
  if ('own' in key) return { namespace: 2, raw: encodeKvKey({ kind: 'own', key: key.own, from: unhex(key.from) }) };
  if ('gate' in key) return { namespace: 2, raw: encodeKvKey({ kind: 'gate', alias: key.gate }) };
  if ('status' in key) return { namespace: 2, raw: encodeKvKey({ kind: 'status' }) };
  return { namespace: NAMESPACES.indexOf(key.namespace) as Namespace, raw: unhex(key.raw) };
}
