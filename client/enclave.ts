import { buildCommit } from './commit.ts';
import type { Conversation } from './conversation.ts';
import { copyEnclave } from './copy-enclave.ts';
import type { EncError } from './errors.ts';
import type { TreeHead } from './heads.ts';
import type { Key } from './keys.ts';
import { type Members, members } from './members.ts';
import { type EventRef, Proofs, type ProvedEvent, type ProvedState, type StateKey } from './proofs.ts';
import { proveStatus } from './prove-status.ts';
import { type PullOptions, pull, type QueryOptions, query } from './reading.ts';
import { receiptOf, type SubmitOptions, submit, submitAll } from './submit.ts';
import type { Trust } from './trust.ts';
import type { Alg, BundleProof, Commit, Content, EncEvent, Filter, Inclusion, Info, Receipt, Tags } from './types.ts';
import { type VerifyOptions, type VerifyReport, verifyEnclave } from './verify-enclave.ts';

export interface CommitOptions extends SubmitOptions {
  readonly tags?: Tags | undefined;
  readonly alg?: Alg | undefined;
  /** Unix ms; default: two minutes from now. Until then the commit is retried. */
  readonly exp?: number | undefined;
}

export interface Draft extends Pick<CommitOptions, 'tags' | 'alg' | 'exp'> {
  readonly type: string;
  readonly content: Content;
}

const COMMIT_LIFETIME = 120_000;

/**
 * One enclave as seen by one identity. Every answer is checked before it is handed on; one that does not check throws
 * `NodeLied`, a refusal of the node `Refused`, no answer `Unreachable`.
 */
export class Enclave {
  readonly id: string;
  private readonly talk: Conversation;
  private readonly proofs: Proofs;

  constructor(talk: Conversation) {
    this.talk = talk;
    this.id = talk.enclave;
    this.proofs = new Proofs(talk);
  }

  /** Who reads and commits here, if a key was given. */
  get key(): Key | undefined {
    return this.talk.key;
  }

  /** What is known of the enclave's history and signers. */
  get trust(): Trust {
    return this.talk.trust;
  }

  /** Signs a commit without sending it. */
  build(type: string, content: Content, options: CommitOptions = {}): Promise<Commit> {
    if (!this.talk.key) throw new TypeError('A commit needs a key: open the enclave with one.');
    const exp = options.exp ?? this.talk.clock.now() + COMMIT_LIFETIME;
    return buildCommit(this.talk.key, { enclave: this.id, type, content, exp, tags: options.tags, alg: options.alg });
  }

  /** Signs and sends a commit, repeats it safely until its outcome is known, and returns the verified receipt. */
  async commit(type: string, content: Content, options: CommitOptions = {}): Promise<Receipt> {
    return this.submit(await this.build(type, content, options), options);
  }

  /** Sends a commit that was built before, as `commit` does. */
  submit(commit: Commit, options?: SubmitOptions): Promise<Receipt> {
    return submit(this.talk, commit, options);
  }

  /** Signs and sends up to 1,000 commits at once; a verified receipt or an error for each, in order. */
  async commitAll(drafts: readonly Draft[], options?: SubmitOptions): Promise<(Receipt | EncError)[]> {
    return this.submitAll(
      await Promise.all(drafts.map(({ type, content, ...rest }) => this.build(type, content, rest))),
      options,
    );
  }

  submitAll(commits: readonly Commit[], options?: SubmitOptions): Promise<(Receipt | EncError)[]> {
    return submitAll(this.talk, commits, options);
  }

  /** The receipt of a commit whose answer was lost. */
  receipt(commit: Commit): Promise<Receipt> {
    return receiptOf(this.talk, commit);
  }

  /** Events that match, each checked; with `proveStatus` also whether they were updated or deleted. */
  async query(filter?: Filter, options: QueryOptions = {}): Promise<EncEvent[]> {
    const events = await query(this.talk, filter, options);
    return options.proveStatus ? proveStatus(this.talk, this.proofs, events) : events;
  }

  pull(options?: PullOptions): AsyncGenerator<EncEvent, void, undefined> {
    return pull(this.talk, options);
  }

  info(): Promise<Info> {
    return this.talk.info();
  }

  /** The current tree head, consistent with all those seen before. */
  sth(): Promise<TreeHead> {
    return this.proofs.sth();
  }

  /** Checks a tree head that came from elsewhere, such as another client: it must be of the same history. */
  takeTreeHead(sth: unknown, from = 'tree head', floor?: TreeHead): Promise<TreeHead> {
    return this.proofs.take(from, sth, floor);
  }

  /** Proves that one checked tree head continues another. */
  consistency(older: TreeHead, newer: TreeHead): Promise<readonly string[]> {
    return this.proofs.consistency(older, newer);
  }

  inclusion(
    of: EventRef | { readonly leaf_index: number },
    sth?: TreeHead,
  ): Promise<Inclusion & { readonly sth: TreeHead }> {
    return this.proofs.inclusion(of, sth);
  }

  bundle(of: EventRef): Promise<BundleProof> {
    return this.proofs.bundle(of);
  }

  /** An event's bundle proof, inclusion proof and tree head, checked from end to end. */
  prove(of: EventRef): Promise<ProvedEvent> {
    return this.proofs.event(of);
  }

  /** What a place of the state tree held at the last closed bundle, or that it held nothing. */
  state(key: StateKey): Promise<ProvedState> {
    return this.proofs.state(key);
  }

  stateBatch(keys: readonly StateKey[]): Promise<ProvedState[]> {
    return this.proofs.stateBatch(keys);
  }

  /** Who holds which State and traits, replayed from what this key may read and proved. */
  members(): Promise<Members> {
    return members(this.talk, this.proofs);
  }

  /** An `.enc` file of the enclave, made of what a reader of everything may pull: no admin token is needed. */
  copy(signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    return copyEnclave(this.talk, this.proofs, signal);
  }

  /** The whole enclave from genesis; the key must be one that reads everything. */
  verify(options?: VerifyOptions): Promise<VerifyReport> {
    return verifyEnclave(this.talk, this.proofs, options);
  }
}
